package client

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/nats-io/nkeys"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// redacted is what every printed form of a [Secret] reads.
const redacted = "[redacted]"

// Secret is a secret's value. Whatever prints, logs or marshals it gets "[redacted]", also inside of another value; only
// [Secret.Reveal] gives the content.
type Secret struct {
	_ [0]func() // makes == a compile error
	// text is behind a pointer so that fmt, which walks unexported fields by reflection, prints an address.
	text *string
	// Source names the store that had it, for example "env"; Version is its version there, where it has versions.
	Source, Version string
}

// Reveal returns the content. Call it only where the content is used.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// String implements [fmt.Stringer].
func (s Secret) String() string { return redacted }

// GoString implements [fmt.GoStringer].
func (s Secret) GoString() string { return redacted }

// Format implements [fmt.Formatter]; every verb prints the same.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// LogValue implements [slog.LogValuer].
func (s Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON implements [encoding/json.Marshaler].
func (s Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// MarshalText implements [encoding.TextMarshaler].
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// MarshalBinary implements [encoding.BinaryMarshaler].
func (s Secret) MarshalBinary() ([]byte, error) { return []byte(redacted), nil }

// Secret asks for a secret by its name. The client must have been made with [Caller]. The value crosses the bus sealed to
// a key that is made for this one request and wiped after it. A name that the operator has not allowed is an error of code
// permission_denied, one that has no value not_found.
func (c *Client) Secret(ctx context.Context, name string) (Secret, error) {
	key, err := newOneTimeKey()
	if err != nil {
		return Secret{}, err
	}
	defer key.wipe()
	var resp events.SecretResponse
	if err := c.Call(ctx, events.OpSecretsGet, events.SecretRequest{Name: name, RecipientKey: key.public}, &resp); err != nil {
		return Secret{}, err
	}
	if resp.Name != name {
		return Secret{}, events.Errorf(events.CodeInternal, "the reply is about another secret than was asked for")
	}
	value, err := key.open(resp.Sealed, resp.SenderKey)
	if err != nil {
		return Secret{}, err
	}
	value.Source, value.Version = resp.Source, resp.Version
	return value, nil
}

// oneTimeKey is a key that is made for one request, to which the reply's secrets are sealed.
type oneTimeKey struct {
	pair   nkeys.KeyPair
	public string
}

func newOneTimeKey() (oneTimeKey, error) {
	pair, err := nkeys.CreateCurveKeys()
	if err != nil {
		return oneTimeKey{}, events.Errorf(events.CodeInternal, "the one-time key could not be made: %w", err)
	}
	public, err := pair.PublicKey()
	if err != nil {
		return oneTimeKey{}, events.Errorf(events.CodeInternal, "the one-time key could not be made: %w", err)
	}
	return oneTimeKey{pair, public}, nil
}

// open opens what was sealed to the key.
func (k oneTimeKey) open(sealed []byte, sender string) (Secret, error) {
	if len(sender) != len(k.public) { // nkeys panics on a longer one
		return Secret{}, events.Errorf(events.CodeInternal, "the reply has no sender key that could be used")
	}
	value, err := k.pair.Open(sealed, sender)
	if err != nil {
		return Secret{}, events.Errorf(events.CodeInternal, "the sealed value cannot be opened: %w", err)
	}
	text := string(value)
	clear(value)
	return Secret{text: &text}, nil
}

// wipe forgets the key.
func (k oneTimeKey) wipe() { k.pair.Wipe() }
