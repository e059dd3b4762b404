package webhook

import "errors"

// The reasons for which signing and verifying fail. They arrive wrapped: use [errors.Is].
var (
	// ErrInvalidSecret means that a secret is empty, or starts with "whsec_" and does not go on in standard base64.
	ErrInvalidSecret = errors.New("webhook: invalid secret")
	// ErrInvalidID means that an id is empty, longer than 256 bytes, or holds a full stop, a space or anything that is
	// not printable ASCII.
	ErrInvalidID = errors.New("webhook: invalid id")
	// ErrMissingHeader means that a header which verifying needs is not there.
	ErrMissingHeader = errors.New("webhook: missing header")
	// ErrInvalidHeader means that a header is there and is not what it should be.
	ErrInvalidHeader = errors.New("webhook: invalid header")
	// ErrTooOld means that the timestamp is more than [Tolerance] in the past: a replay, or a clock that is wrong.
	ErrTooOld = errors.New("webhook: timestamp too old")
	// ErrTooNew means that the timestamp is more than [Tolerance] in the future.
	ErrTooNew = errors.New("webhook: timestamp too new")
	// ErrNoMatch means that no signature of a known version was made with a secret of ours over this very body.
	ErrNoMatch = errors.New("webhook: no matching signature")
	// ErrTooLarge means that the body of a request is larger than the receiver takes.
	ErrTooLarge = errors.New("webhook: body too large")
)
