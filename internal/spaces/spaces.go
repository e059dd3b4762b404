// Package spaces is what is written down about the spaces that vectors of embedding models lie in: how long the vectors of each model
// are, as they were first seen. It is kept in a KV bucket ([events.BucketSpaces]), where the embedders watch it, and where an operator
// who agrees to another length changes it.
package spaces

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// MaxDimensions is the greatest length of a vector.
const MaxDimensions = 1 << 16

// MaxServed is of how many servers of one model it is remembered which model they said they have.
const MaxServed = 64

// Pin is the length of the vectors of one model. It is a value in the bucket, as JSON.
type Pin struct {
	// Model is the identity of the model: "provider/model", or what the operator calls its space.
	Model string `json:"model"`
	// Revision tells apart what the operator knows to be different behind one name; it may be empty.
	Revision string `json:"revision,omitempty"`
	// Dimensions is the length, 1 to [MaxDimensions]; 0 if it is not known yet, and only Served is.
	Dimensions int `json:"dimensions"`
	// Served is which model those who answered said that they have, by "provider/model", of servers that tell.
	Served map[string]string `json:"served,omitempty"`
	// Provider is who answered first, as "provider/model"; empty when an operator has set the length.
	Provider string    `json:"provider,omitempty"`
	PinnedAt time.Time `json:"pinned_at"`
}

// Name is MODEL or MODEL@REVISION, as it stands in the id of a space.
func (p Pin) Name() string { return Name(p.Model, p.Revision) }

// Name is MODEL, or MODEL@REVISION if there is a revision.
func Name(model, revision string) string {
	if revision == "" {
		return model
	}
	return model + "@" + revision
}

// Check checks that the pin is whole. The error is of code invalid_argument.
func (p Pin) Check() error {
	switch {
	case p.Model == "" || !utf8.ValidString(p.Model) || !utf8.ValidString(p.Revision):
		return events.Errorf(events.CodeInvalidArgument, "the pin has no model, or one that is not UTF-8")
	case len(p.Served) > MaxServed:
		return events.Errorf(events.CodeInvalidArgument, "the pin of %s names %d servers; at most %d are remembered", p.Name(), len(p.Served), MaxServed)
	case p.Dimensions < 0 || p.Dimensions > MaxDimensions || p.Dimensions == 0 && len(p.Served) == 0:
		return events.Errorf(events.CodeInvalidArgument, "the vectors of %s have a length of %d; it must be 1 to %d", p.Name(), p.Dimensions, MaxDimensions)
	default:
		return nil
	}
}

// Encode writes a pin that is whole as the value of its key.
func (p Pin) Encode() ([]byte, error) {
	if err := p.Check(); err != nil {
		return nil, err
	}
	value, err := json.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("writing the length of the vectors of %s: %w", p.Name(), err)
	}
	return value, nil
}

// Decode reads the value of a key. With an error, the pin has the model and the revision that the key says, if it says any.
func Decode(key string, value []byte) (Pin, error) {
	model, revision, ok := ParseKey(key)
	if !ok {
		return Pin{}, fmt.Errorf("%q is no key of a model", key) //nolint:err113 // nobody tells it apart
	}
	var p Pin
	err := json.Unmarshal(value, &p)
	if err == nil {
		err = p.Check()
	}
	if err == nil && (p.Model != model || p.Revision != revision) {
		err = fmt.Errorf("it is about %s", p.Name()) //nolint:err113 // nobody tells it apart
	}
	if err != nil {
		return Pin{Model: model, Revision: revision}, fmt.Errorf("what is pinned for %s cannot be read: %w", Name(model, revision), err)
	}
	return p, nil
}

// Key is the key of a model in the bucket. Letters, digits, - _ and / stand for themselves, any other byte is =XX; a revision is
// behind a dot.
func Key(model, revision string) string {
	b := appendToken(make([]byte, 0, len(model)+len(revision)+8), model)
	if revision != "" {
		b = appendToken(append(b, '.'), revision)
	}
	return string(b)
}

// ParseKey is the inverse of [Key]. It is false for what Key does not return.
func ParseKey(key string) (model, revision string, ok bool) {
	first, second, has := strings.Cut(key, ".")
	model = token(first)
	if has {
		revision = token(second)
	}
	return model, revision, model != "" && key == Key(model, revision)
}

// hexDigits are those of an escaped byte.
const hexDigits = "0123456789ABCDEF"

func appendToken(b []byte, text string) []byte {
	for i := range len(text) {
		c := text[i]
		if plain(c) {
			b = append(b, c)
		} else {
			b = append(b, '=', hexDigits[c>>4], hexDigits[c&15])
		}
	}
	return b
}

// token reads what appendToken writes; of anything else it makes something that appendToken would write in another way.
func token(text string) string {
	if !strings.Contains(text, "=") {
		return text
	}
	b := make([]byte, 0, len(text))
	for i := 0; i < len(text); i++ {
		if text[i] != '=' || i+2 >= len(text) {
			b = append(b, text[i])
			continue
		}
		high, low := strings.IndexByte(hexDigits, text[i+1]), strings.IndexByte(hexDigits, text[i+2])
		if high < 0 || low < 0 {
			b = append(b, text[i])
			continue
		}
		b = append(b, byte(high<<4|low)) //nolint:gosec // both are below 16
		i += 2
	}
	return string(b)
}

// plain reports whether a byte stands for itself in a key.
func plain(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '/'
}
