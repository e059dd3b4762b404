package client

import (
	"bytes"
	"context"
	"encoding/json"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// SecretOption changes how one secret is asked for.
type SecretOption func(*secretQuestion)

type secretQuestion struct {
	alg     string
	noCache bool
}

// Hybrid has the value sealed with HPKE and the hybrid of ML-KEM-768 and X25519 in the place of NATS xkeys: what is recorded of it
// today cannot be opened by a quantum computer of tomorrow.
func Hybrid() SecretOption { return func(q *secretQuestion) { q.alg = events.SealHybrid } }

// NoCache has secretd ask the secret's stores now, whatever it knows. It is limited in rate: too often is an error of code
// rate_limited.
func NoCache() SecretOption { return func(q *secretQuestion) { q.noCache = true } }

// Secret asks for a secret by its name, or by a reference such as vault:mlsdm/openai#api_key where the operator lets the caller
// use references. The client must have been made with [Caller].
//
// The value crosses the bus sealed to a key that is made for this one request and wiped after it, and bound to it: a reply to
// another request, or of another service than the one that [SecretdKey] names, is an error of code internal. A name that the
// operator has not allowed is an error of code permission_denied, one that has no value not_found, one whose stores cannot be
// asked unavailable.
func (c *Client) Secret(ctx context.Context, name string, options ...SecretOption) (Secret, error) {
	q := secretQuestion{alg: events.SealXKey}
	for _, option := range options {
		option(&q)
	}
	key, nonce, err := c.spare.take(q.alg)
	if err != nil {
		return Secret{}, err
	}
	defer key.wipe()
	req := events.SecretRequest{Name: name, RecipientKey: key.recipient(), Alg: q.alg, Nonce: nonce, NoCache: q.noCache}
	var resp events.SecretResponse
	if err := c.Call(ctx, events.OpSecretsGet, req, &resp); err != nil {
		return Secret{}, err
	}
	if resp.Name != name || resp.Nonce != nonce || resp.Alg != q.alg {
		return Secret{}, events.Errorf(events.CodeInternal, "the reply is about another secret, or another request, than was asked for")
	}
	if c.secretd != nil {
		if err := c.secretd.verify(c.caller, req.RecipientKey, resp); err != nil {
			return Secret{}, err
		}
	}
	plain, err := key.unseal(c.caller, resp)
	if err != nil {
		return Secret{}, err
	}
	defer clear(plain)
	value, err := readEnvelope(plain, resp)
	if err != nil {
		return Secret{}, err
	}
	value.Source, value.Version, value.FetchedAt, value.Stale = resp.Source, resp.Version, resp.FetchedAt, resp.Stale
	return value, nil
}

// readEnvelope reads what was in the seal, which has to be about what stands outside of it.
func readEnvelope(plain []byte, resp events.SecretResponse) (Secret, error) {
	var inside events.SecretEnvelope
	if json.NewDecoder(bytes.NewReader(plain)).Decode(&inside) != nil { // its error would quote what is inside
		return Secret{}, events.Errorf(events.CodeInternal, "what is in the seal cannot be read")
	}
	defer clear(inside.Value)
	if inside.Name != resp.Name || inside.Version != resp.Version || inside.Nonce != resp.Nonce {
		return Secret{}, events.Errorf(events.CodeInternal, "what is in the seal is of another request than was made")
	}
	text := string(inside.Value)
	return Secret{text: &text}, nil
}

// ListSecrets returns the secrets that the caller may have, ordered by name, with their states and without their values: a page of
// them, of at most limit (1 to 1000; 0 is 1000), after the name of that text. The Next of the reply is what to ask for after
// that; empty is the end.
func (c *Client) ListSecrets(ctx context.Context, limit int, after string) (events.SecretsList, error) {
	var list events.SecretsList
	err := c.Call(ctx, events.OpSecretsList, events.SecretsListRequest{Limit: limit, After: after}, &list)
	return list, err
}

// RefreshSecret has secretd ask a secret's stores now, for everybody, and returns what is known then. It needs a right of its own;
// too often is an error of code rate_limited.
func (c *Client) RefreshSecret(ctx context.Context, name string) (events.SecretsRefreshed, error) {
	var refreshed events.SecretsRefreshed
	err := c.Call(ctx, events.OpSecretsRefresh, events.SecretsRefreshRequest{Name: name}, &refreshed)
	return refreshed, err
}
