package egress

import "errors"

// ErrBlocked is what every [BlockedError] is.
var ErrBlocked = errors.New("egress: address not allowed")

// ErrURL is a URL that nothing can be sent to, whatever the policy says.
var ErrURL = errors.New("egress: URL not usable")

// BlockedError is a connection that was refused before it was tried.
type BlockedError struct {
	// Address is what was to be dialled: an IP address or, when there is none, the name or text.
	Address string
	// Reason says what sort of address it is.
	Reason string
	// Remedy says how it could be allowed.
	Remedy string
}

// Error implements error.
func (e *BlockedError) Error() string {
	return ErrBlocked.Error() + ": " + e.Address + " is " + e.Reason + "; " + e.Remedy
}

// Unwrap returns [ErrBlocked].
func (e *BlockedError) Unwrap() error { return ErrBlocked }

func (g *Guard) block(address, reason string) error {
	return &BlockedError{Address: address, Reason: reason, Remedy: "to allow it, name its network in " + g.setting}
}

func (g *Guard) blockPlain(address string) error {
	return &BlockedError{
		Address: address, Reason: "reached by plain http",
		Remedy: "use https; the operator may allow http for all, for its host, or for its network in " + g.setting,
	}
}

// Stage is a part of the making of a connection.
type Stage string

// The stages of a connection's making, in their order.
const (
	StageDNS     Stage = "dns"
	StageConnect Stage = "connect" // with a proxy, until that has connected
	StageTLS     Stage = "tls"
)

// DialError is a connection that was allowed and could not be made.
type DialError struct {
	// Stage is where it ended.
	Stage Stage
	// Times are how long its stages took, the last one until the error.
	Times Times
	// Err says why.
	Err error
}

// Error implements error.
func (e *DialError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *DialError) Unwrap() error { return e.Err }
