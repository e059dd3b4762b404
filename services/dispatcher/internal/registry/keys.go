package registry

import (
	"cmp"
	"slices"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/internal/secret/seal"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/keyring"
)

// generated is a secret that was made for an endpoint and is told to whoever asked for it, this once.
type generated struct {
	keyID string
	value secret.Value
}

// effective returns the keys that a specification asks for, its defaults filled in.
func effective(signing []events.EndpointSigning) []events.EndpointSigning {
	if len(signing) == 0 {
		return []events.EndpointSigning{{Method: events.SignHMAC}}
	}
	filled := slices.Clone(signing)
	for i := range filled {
		filled[i].Method = cmp.Or(filled[i].Method, events.SignHMAC)
	}
	return filled
}

// keyChange is when and for how long.
type keyChange struct {
	now     time.Time
	overlap time.Duration
}

// end marks a key as one that ends, unless it ends sooner anyway.
func (c keyChange) end(key keyring.Record) keyring.Record {
	if at := c.now.Add(c.overlap); key.ExpiresAt.IsZero() || at.Before(key.ExpiresAt) {
		key.ExpiresAt = at
	}
	return key
}

// settle orders the keys of an endpoint: those that stay, then those that end, the last to end first. It drops those that
// have ended, and refuses more than an endpoint may have.
func (c keyChange) settle(staying, ending []keyring.Record) ([]keyring.Record, error) {
	ending = slices.DeleteFunc(ending, func(key keyring.Record) bool { return key.Ended(c.now) })
	slices.SortStableFunc(ending, func(a, b keyring.Record) int { return b.ExpiresAt.Compare(a.ExpiresAt) })
	keys := slices.Concat(staying, ending)
	if len(keys) > maxKeys && len(ending) > 0 {
		return nil, events.Errorf(events.CodeFailedPrecondition,
			"the endpoint would have %d keys, those that end included, and every webhook as many signatures; at most %d are allowed: wait until %s, when the next one ends, or give overlap 0s",
			len(keys), maxKeys, ending[len(ending)-1].ExpiresAt.UTC().Format(time.RFC3339))
	}
	return keys, nil
}

// rekey brings the keys of an endpoint in line with what its specification asks for: it keeps those that are asked for,
// makes those that are missing, and ends the others. A key that was about to end and is asked for by its reference stays.
func (r *Registry) rekey(id string, have []keyring.Record, signing []events.EndpointSigning, c keyChange) ([]keyring.Record, []generated, error) {
	have = slices.Clone(have)
	take := func(want events.EndpointSigning, ends bool) (keyring.Record, bool) {
		i := slices.IndexFunc(have, func(key keyring.Record) bool {
			return key.Method == want.Method && key.Reference == want.Key && key.ExpiresAt.IsZero() != ends
		})
		if i < 0 {
			return keyring.Record{}, false
		}
		key := have[i]
		have = slices.Delete(have, i, i+1)
		return key, true
	}
	var staying []keyring.Record
	var made []generated
	for _, want := range effective(signing) {
		key, ok := take(want, false)
		if !ok && want.Key != "" {
			key, ok = take(want, true)
			key.ExpiresAt = time.Time{}
		}
		if !ok {
			var err error
			if key, made, err = r.newKey(id, want, made, c.now); err != nil {
				return nil, nil, err
			}
		}
		staying = append(staying, key)
	}
	for i, key := range have {
		if key.ExpiresAt.IsZero() {
			have[i] = c.end(key)
		}
	}
	keys, err := c.settle(staying, have)
	return keys, made, err
}

// newKey makes the record of a key, and adds its secret to those that are told.
func (r *Registry) newKey(id string, want events.EndpointSigning, made []generated, now time.Time) (keyring.Record, []generated, error) {
	if want.Key != "" {
		return keyring.Refer(want.Method, want.Key, now), made, nil
	}
	key, value, err := r.cfg.Keys.Generate(id, want.Method, now)
	if err == nil && want.Method == events.SignHMAC {
		made = append(made, generated{key.ID, value})
	}
	return key, made, err
}

// checkRecipient checks that secrets can be told to whoever asked for them.
func checkRecipient(made []generated, recipient string) error {
	if recipient == "" {
		if len(made) == 0 {
			return nil
		}
		return events.Errorf(events.CodeInvalidArgument,
			"recipient_key is missing: a key of method v1 is generated, and is told only sealed to a public xkey (X…) made for this request; or name a key that stands elsewhere in signing[].key")
	}
	if err := seal.CheckKey(recipient); err != nil {
		return events.Errorf(events.CodeInvalidArgument, "recipient_key must be a public curve key (X…) that was made for this request: %w", err)
	}
	return nil
}

// tell seals secrets to whoever asked for them.
func tell(made []generated, recipient string) ([]events.EndpointSecret, error) {
	var told []events.EndpointSecret
	for _, m := range made {
		sealed, sender, err := seal.Seal(m.value, recipient)
		if err != nil {
			return nil, err
		}
		told = append(told, events.EndpointSecret{KeyID: m.keyID, SenderKey: sender, Sealed: sealed})
	}
	return told, nil
}
