// Package remote asks secretd for secrets over the bus, so that only one service holds the credentials of the stores, and keeps
// those that are in use up to date.
//
// A [Client] asks once; each question has a key and a nonce of its own, and the answer opens only as that to this question. A
// [Watcher] keeps the contents of live values: it asks again now and then, and at once when a secret.rotated event says so.
package remote

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/internal/secret/seal"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// ErrReply is wrapped by the error about a reply that is not the answer to the question, or not that of the secretd that is known.
// It says nothing about the secret.
var ErrReply = errors.New("the reply is not to be trusted")

// Client asks secretd. Make one with [New]. It is safe for concurrent use.
type Client struct {
	bus    *bus.Bus
	caller string
	signer *signer
}

// Option changes how a [Client] asks.
type Option func(*Client)

// Signer makes the client believe only the secretd that has this public nkey (U…). Without it, or with an empty one, the client
// believes the one whose key stands in the KV bucket of secretd; where it may not read that, whoever NATS lets answer.
func Signer(key string) Option { return func(c *Client) { c.signer.fixed = key } }

// Logger takes the client's log lines.
func Logger(log *slog.Logger) Option { return func(c *Client) { c.signer.log = log } }

// New returns a client that asks under a caller's name, which NATS must permit and secretd must know.
func New(b *bus.Bus, caller string, options ...Option) (*Client, error) {
	if err := events.CheckToken("caller", caller); err != nil {
		return nil, err
	}
	c := &Client{bus: b, caller: caller, signer: newSigner(b)}
	for _, o := range options {
		o(c)
	}
	return c, nil
}

// Question is what is asked.
type Question struct {
	// Name is the secret's logical name, or a reference such as vault:mlsdm/openai#api_key.
	Name string
	// NoCache has the store asked now. It is limited in rate.
	NoCache bool
}

// Answer is a secret as secretd has it.
type Answer struct {
	secret.Entry

	// FetchedAt is when its store was asked.
	FetchedAt time.Time
	// Stale says that the value is past its time, and that its store cannot be asked now.
	Stale bool
}

// Get implements [secret.Named].
func (c *Client) Get(ctx context.Context, name secret.Name) (secret.Entry, error) {
	answer, err := c.Ask(ctx, Question{Name: name.String()})
	return answer.Entry, err
}

// Ask asks a question. Its errors wrap one of those of package secret, [ErrReply], or ctx's error.
func (c *Client) Ask(ctx context.Context, q Question) (Answer, error) {
	asker, err := seal.NewAsker(events.SealXKey)
	if err != nil {
		return Answer{}, err
	}
	defer asker.Wipe()
	body, err := json.Marshal(asker.Request(q.Name, q.NoCache))
	if err != nil {
		return Answer{}, fmt.Errorf("writing the request: %w", err)
	}
	reply, err := c.bus.Request(ctx, bus.Msg{Subject: c.bus.Subjects().Secret(c.caller), Body: body})
	if err != nil {
		return Answer{}, storeError(ctx, err)
	}
	var r events.SecretResponse
	if err := events.DecodeJSON(reply.Body, &r); err != nil {
		return Answer{}, fmt.Errorf("secretd: %w: it cannot be read", ErrReply)
	}
	value, err := c.open(ctx, asker, q.Name, r)
	if err != nil {
		return Answer{}, fmt.Errorf("secretd: %w: %w", ErrReply, err)
	}
	entry, err := secret.NewEntry(r.Source, r.Version, value.Reveal())
	if err != nil {
		return Answer{}, fmt.Errorf("secretd: %w", err)
	}
	return Answer{Entry: entry, FetchedAt: r.FetchedAt, Stale: r.Stale}, nil
}

// open opens a reply of the secretd that is known. One that is signed by another may mean that secretd has a new key.
func (c *Client) open(ctx context.Context, asker *seal.Asker, name string, r events.SecretResponse) (secret.Value, error) {
	known := c.signer.known()
	if r.SignerKey != known {
		known = c.signer.look(ctx)
	}
	value, err := asker.Open(c.caller, name, known, r)
	if err == nil && known == "" {
		c.signer.trusted(ctx)
	}
	return value, err
}

// storeError says a failed request in the words of a store.
func storeError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("asking secretd: %w", ctx.Err())
	}
	switch events.CodeOf(err) {
	case events.CodeNotFound:
		return fmt.Errorf("%w: %w", secret.ErrNotFound, err)
	case events.CodePermissionDenied, events.CodeUnauthenticated:
		return fmt.Errorf("%w: %w", secret.ErrDenied, err)
	case events.CodeUnavailable, events.CodeDeadlineExceeded, events.CodeRateLimited:
		return fmt.Errorf("%w: %w", secret.ErrUnavailable, err)
	case events.CodeFailedPrecondition:
		return fmt.Errorf("%w: %w", secret.ErrUnusable, err)
	default:
		return fmt.Errorf("asking secretd: %w", err)
	}
}
