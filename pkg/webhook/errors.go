package webhook

import "errors"

// The reasons for which signing and verifying fail. They arrive wrapped: use [errors.Is].
var (
	// ErrInvalidSecret means that a key is empty, or is not what its prefix (whsec_, whsk_, whpk_) says it is.
	ErrInvalidSecret = errors.New("webhook: invalid secret")
	// ErrCannotSign means that there is no key to sign with: public keys only verify.
	ErrCannotSign = errors.New("webhook: no key to sign with")
	// ErrInvalidSignature means that a [Signer] gave no signature that could stand in a header.
	ErrInvalidSignature = errors.New("webhook: unusable signature")
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
	// ErrNoMatch means that no signature of a known version was made with a key of ours over this very body.
	ErrNoMatch = errors.New("webhook: no matching signature")
	// ErrTooLarge means that the body of a request is larger than the receiver takes.
	ErrTooLarge = errors.New("webhook: body too large")
	// ErrIncomplete means that the body of a request ended before it should have, or could not be read for another reason.
	ErrIncomplete = errors.New("webhook: the body cannot be read")
	// ErrHandled means that a webhook of this id was handled before.
	ErrHandled = errors.New("webhook: handled before")
	// ErrBusy means that another copy of a webhook is being handled.
	ErrBusy = errors.New("webhook: another copy is being handled")
)
