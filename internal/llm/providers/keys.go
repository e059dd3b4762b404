package providers

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Bounds of an entry.
const (
	// MaxKeys is how many keys a provider has at most.
	MaxKeys = 64
	// MaxWeight is the greatest weight of a key or a target; the least is 1.
	MaxWeight = 1000
	// MaxModel is how many bytes a name of a model has at most.
	MaxModel = 256

	maxHeader = 4096 // bytes of a header's value
)

// Key is one API key of a provider.
type Key struct {
	// Name is what operators and metrics call it, for example "secret:openai_api_key". It is no secret.
	Name string
	// Value is the key. Where it is a reference, somebody else gives it its content.
	Value secret.Value
	// Weight is its share of the requests among the keys of the provider, 1 to [MaxWeight]; 0 counts as 1.
	Weight int
}

// checkKeys checks that names and weights of keys are right.
func checkKeys(keys []Key) error {
	if len(keys) > MaxKeys {
		return fmt.Errorf("it has %d keys; at most %d are allowed", len(keys), MaxKeys)
	}
	for i, key := range keys {
		switch {
		case key.Name == "" || key.Value.IsZero():
			return fmt.Errorf("keys[%d] is empty", i)
		case key.Weight < 0 || key.Weight > MaxWeight:
			return fmt.Errorf("keys[%d] has weight %d; it must be 1 to %d", i, key.Weight, MaxWeight)
		case slices.ContainsFunc(keys[:i], func(k Key) bool { return k.Name == key.Name }):
			return fmt.Errorf("key %s is there twice", key.Name)
		}
	}
	return nil
}

// checkName checks the name of a provider: it stands in models before the slash, and in subjects, metrics and errors.
func checkName(name string) error {
	if len(name) > 64 || strings.Contains(name, "/") {
		return errors.New("a provider's name has at most 64 bytes and no slash")
	}
	return events.CheckToken("the name", name)
}

// IsModel reports whether text can be the name of a model: it has 1 to [MaxModel] bytes, none of them white space or a control
// character, which no provider's names hold.
func IsModel(text string) bool {
	return text != "" && len(text) <= MaxModel && !strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r == 0x7f })
}

// checkModel checks a provider's own name of a model.
func checkModel(name string) error {
	if !IsModel(name) {
		return fmt.Errorf("the name of a model has 1 to %d bytes, and no white space", MaxModel)
	}
	return nil
}

// CheckAlias checks a name of the operator's for models.
func CheckAlias(name string) error {
	switch {
	case strings.Contains(name, "/"):
		return errors.New("an alias has no slash in its name: what has one is provider/model")
	case !IsModel(name):
		return fmt.Errorf("an alias has 1 to %d bytes, and no white space", MaxModel)
	default:
		return nil
	}
}

// checkModels checks the names of the only models that a provider has.
func checkModels(models []string) error {
	for i, model := range models {
		if err := checkModel(model); err != nil {
			return err
		}
		if slices.Contains(models[:i], model) {
			return fmt.Errorf("model %q is there twice", model)
		}
	}
	return nil
}

// checkHeader checks a header that an operator adds. What authenticates is a key, and belongs among the keys; what frames a request
// is the protocol's business.
func checkHeader(name, value string) error {
	switch http.CanonicalHeaderKey(name) {
	case "Authorization", "X-Api-Key", "Api-Key", "Proxy-Authorization", "Cookie":
		return fmt.Errorf("header %s: credentials belong under keys", name)
	case "Host", "Content-Length", "Content-Type", "Transfer-Encoding", "Connection", "Accept", "Accept-Encoding", "Te", "Trailer", "Upgrade":
		return fmt.Errorf("header %s belongs to the protocol", name)
	}
	if name == "" || strings.ContainsFunc(name, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_'
	}) {
		return fmt.Errorf("header %q: a name has letters, digits, - and _ only", name)
	}
	if len(value) > maxHeader || strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
		return fmt.Errorf("header %s: a value has at most %d bytes and is one line", name, maxHeader)
	}
	return nil
}
