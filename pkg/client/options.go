package client

import (
	"context"
	"time"

	"github.com/nats-io/nats.go"
)

// DefaultTimeout is the patience of a call whose context has no deadline.
const DefaultTimeout = 30 * time.Second

// Option changes how a [Client] is made.
type Option func(*settings)

type settings struct {
	caller  string
	prefix  string
	source  string
	timeout time.Duration
	secretd string
	trace   func(ctx context.Context) (parent, state string)
	nats    []nats.Option
}

// Caller names who asks: requests go to mlsdm.as.<name>.… On a closed bus NATS permits a user only its own name. With
// [Connect] the inboxes are then below _INBOX_<name>. Without it requests go to the plain subjects, and secrets cannot be
// asked for.
func Caller(name string) Option { return func(s *settings) { s.caller = name } }

// Prefix is the first token of every subject of the installation; [events.DefaultPrefix] without it.
func Prefix(prefix string) Option { return func(s *settings) { s.prefix = prefix } }

// Source is the CloudEvents source of what is published, a URI reference; without it "/mlsdm/client", and below it the
// caller's name.
func Source(source string) Option { return func(s *settings) { s.source = source } }

// Timeout is the patience of a call whose context has no deadline, [DefaultTimeout] without it. For a stream it is the
// patience for each next chunk. It does not bound [Client.Result], which waits as long as its context.
func Timeout(d time.Duration) Option { return func(s *settings) { s.timeout = d } }

// SecretdKey is the public nkey (U…) of the installation's secretd: a secret that another has signed is refused. `mlsdmctl init`
// writes it down, secretd logs it at its start, and the key "signer" of the KV bucket mlsdm_secrets holds it. Without it only the
// permissions of the bus say who answers.
func SecretdKey(public string) Option { return func(s *settings) { s.secretd = public } }

// NATS passes options on to the NATS client. Like the options that say how to log in, it has no effect on [New].
func NATS(options ...nats.Option) Option {
	return func(s *settings) { s.nats = append(s.nats, options...) }
}
