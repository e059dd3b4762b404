package registry

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/keyring"
)

// reference is one place of an endpoint that refers to a secret.
type reference struct{ field, text string }

// references lists the places of a record that refer to secrets, in one order always. Keys that sign no more are not asked
// for: their secrets may be gone.
func (rec record) references() []reference {
	var refs []reference
	add := func(field, text string) {
		if keyring.IsReference(text) {
			refs = append(refs, reference{field, text})
		}
	}
	add("url", rec.Spec.URL)
	if len(rec.Spec.Headers) > 0 {
		for _, name := range slices.Sorted(maps.Keys(rec.Spec.Headers)) {
			add("headers."+name, rec.Spec.Headers[name])
		}
	}
	if rec.Spec.TLS != nil {
		add("tls.key", rec.Spec.TLS.Key)
	}
	for _, key := range rec.Keys {
		add("signing", key.Reference)
	}
	return refs
}

// remote reports whether a record refers to secrets that can change.
func (rec record) remote() bool {
	return slices.ContainsFunc(rec.references(), func(ref reference) bool { return keyring.Remote(ref.text) })
}

// refersTo reports whether a record has a reference.
func (rec record) refersTo(text string) bool {
	return slices.ContainsFunc(rec.references(), func(ref reference) bool { return ref.text == text })
}

// secrets are what the references of one endpoint stand for.
type secrets struct {
	values map[string]secret.Value
	digest [sha256.Size]byte // changes when one of them does
}

// collect resolves all references of a record.
func collect(ctx context.Context, rec record, resolve keyring.ResolveFunc) (secrets, error) {
	refs := rec.references()
	if len(refs) == 0 {
		return secrets{}, nil
	}
	s := secrets{values: make(map[string]secret.Value, len(refs))}
	digest := sha256.New()
	for _, ref := range refs {
		value, err := resolve(ctx, ref.text)
		if err != nil {
			return secrets{}, within(ref.field, err)
		}
		s.values[ref.text] = value
		text := value.Reveal()
		digest.Write(binary.BigEndian.AppendUint64(nil, uint64(len(text))))
		digest.Write([]byte(text))
	}
	s.digest = [sha256.Size]byte(digest.Sum(nil))
	return s, nil
}

// resolve is a [keyring.ResolveFunc] over what was collected.
func (s secrets) resolve(_ context.Context, ref string) (secret.Value, error) {
	value, ok := s.values[ref]
	if !ok {
		return secret.Value{}, fmt.Errorf("%s was not collected", ref)
	}
	return value, nil
}

// text returns what a field says: itself, or what it refers to.
func (s secrets) text(field string) string {
	if value, ok := s.values[field]; ok {
		return value.Reveal()
	}
	return field
}

// within says in which field an error of the contract is.
func within(field string, err error) error {
	coded := *events.AsError(err)
	coded.Message, coded.Err = field+": "+coded.Message, err
	return &coded
}
