package target

import (
	"context"
	"strconv"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/egress"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/pkg/webhook"
)

// The headers of [Endpoint.Sign], canonical as the endpoint's own are.
const (
	headerID            = "Webhook-Id"
	headerTimestamp     = "Webhook-Timestamp"
	headerSignature     = "Webhook-Signature"
	headerBodySignature = "X-Webhook-Signature"
)

// signing is the keys of an endpoint, made ready.
type signing struct {
	keys    []readyKey
	signers []webhook.Signer // of all keys, for as long as none has ended
	ends    bool             // whether a key ever does
	body    bool             // whether bodies are signed alone, too
}

// readyKey is one key.
type readyKey struct {
	signer    webhook.Signer
	body      *webhook.Webhook // of a v1 key, when bodies are signed alone
	expiresAt time.Time
}

// valid reports whether the key signs at a time.
func (k readyKey) valid(at time.Time) bool { return k.expiresAt.IsZero() || at.Before(k.expiresAt) }

// newSigning makes the keys ready. An endpoint that is not broken has one at least.
func newSigning(keys []Key, signBody bool) (signing, error) {
	s := signing{keys: make([]readyKey, len(keys)), signers: make([]webhook.Signer, len(keys)), body: signBody}
	hasBody := false
	for i, key := range keys {
		s.keys[i], s.signers[i] = readyKey{signer: key.Signer, expiresAt: key.ExpiresAt}, key.Signer
		s.ends = s.ends || !key.ExpiresAt.IsZero()
		if !signBody || key.BodySecret.IsZero() {
			continue
		}
		hook, err := webhook.New(key.BodySecret.Reveal())
		if err != nil {
			return signing{}, events.Errorf(events.CodeInvalidArgument, "signing: key %d is no secret of method %s", i+1, events.SignHMAC)
		}
		s.keys[i].body, hasBody = hook, true
	}
	switch {
	case len(keys) == 0:
		return signing{}, events.Errorf(events.CodeInvalidArgument, "signing: there is no key; webhooks are never sent unsigned")
	case signBody && !hasBody:
		return signing{}, noBodyKey()
	default:
		return s, nil
	}
}

// noBodyKey is the error of an endpoint that promises X-Webhook-Signature and cannot make it.
func noBodyKey() error {
	return events.Errorf(events.CodeInvalidArgument, "signing: %s is made with a key of method %s, and there is none", webhook.HeaderBodySignature, events.SignHMAC)
}

// Sign appends the headers that sign body as the webhook id, for an attempt at a time: every key that has not ended by then
// adds its signature. X-Webhook-Signature, which has room for one, is that of the newest v1 key. It fails, and appends
// nothing, without a key, on an id that cannot be signed, and when a signer does.
func (e *Endpoint) Sign(ctx context.Context, id string, at time.Time, body []byte, to []egress.Field) ([]egress.Field, error) {
	signers, bodyKey := e.signing.at(at)
	if len(signers) == 0 {
		return to, events.Errorf(events.CodeFailedPrecondition, "endpoint %s: every signing key has ended; rotate its key", e.ID())
	}
	if e.signing.body && bodyKey == nil {
		return to, events.Errorf(events.CodeFailedPrecondition, "endpoint %s: every signing key of method %s has ended, and %s needs one; rotate its key", e.ID(), events.SignHMAC, webhook.HeaderBodySignature)
	}
	signature, err := webhook.Signatures(ctx, signers, id, at, body)
	if err != nil {
		return to, err
	}
	to = append(to,
		egress.Field{Name: headerID, Value: id},
		egress.Field{Name: headerTimestamp, Value: strconv.FormatInt(at.Unix(), 10)},
		egress.Field{Name: headerSignature, Value: signature},
	)
	if e.signing.body {
		to = append(to, egress.Field{Name: headerBodySignature, Value: bodyKey.SignBody(body)})
	}
	return to, nil
}

// at returns what signs at a time: the signers, and the newest key for the body alone.
func (s signing) at(at time.Time) (signers []webhook.Signer, body *webhook.Webhook) {
	signers = s.signers
	if s.ends {
		signers = make([]webhook.Signer, 0, len(s.keys))
	}
	for _, key := range s.keys {
		if !key.valid(at) {
			continue
		}
		if s.ends {
			signers = append(signers, key.signer)
		}
		if body == nil {
			body = key.body
		}
	}
	return signers, body
}

// wantsBodySignature reports whether an endpoint gets X-Webhook-Signature.
func wantsBodySignature(spec events.EndpointSpec) bool {
	return spec.BodySignature || spec.Format == events.FormatMLSDM
}
