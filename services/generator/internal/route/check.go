package route

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/neuron7x/mlsdm-integrations/internal/llm/wire"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// protocols lists all protocols, for errors.
const protocols = "openai, azure, anthropic, cohere, huggingface, ollama and local"

// known reports whether there is such a protocol.
func (p Protocol) known() bool {
	return slices.Contains([]Protocol{OpenAI, Azure, Anthropic, Cohere, HuggingFace, Ollama, Local}, p)
}

// check checks one provider.
func (p Provider) check() error {
	if err := checkName(p.Name); err != nil {
		return err
	}
	if !p.Protocol.known() {
		return fmt.Errorf("unknown protocol %q; there are %s", p.Protocol, protocols)
	}
	if p.Protocol == Local {
		if p.BaseURL != "" || len(p.Keys) > 0 {
			return errors.New("models in this process have no base_url and no keys")
		}
	} else if _, err := wire.CheckBaseURL(p.BaseURL); err != nil {
		return err
	}
	if err := p.checkKeys(); err != nil {
		return err
	}
	for name, value := range p.Header {
		if err := checkHeader(name, value); err != nil {
			return err
		}
	}
	for i, model := range p.Models {
		if err := checkModel(model); err != nil {
			return err
		}
		if slices.Contains(p.Models[:i], model) {
			return fmt.Errorf("model %q is there twice", model)
		}
	}
	return nil
}

// checkKeys checks that names and weights of keys are right, and that a vendor who takes no request without a key has one.
func (p Provider) checkKeys() error {
	if len(p.Keys) > MaxKeys {
		return fmt.Errorf("it has %d keys; at most %d are allowed", len(p.Keys), MaxKeys)
	}
	for i, key := range p.Keys {
		switch {
		case key.Name == "" || key.Value.IsZero():
			return fmt.Errorf("keys[%d] is empty", i)
		case key.Weight < 0 || key.Weight > MaxWeight:
			return fmt.Errorf("keys[%d] has weight %d; it must be 1 to %d", i, key.Weight, MaxWeight)
		case slices.ContainsFunc(p.Keys[:i], func(k Key) bool { return k.Name == key.Name }):
			return fmt.Errorf("key %s is there twice", key.Name)
		}
	}
	v, known := vendorOf(p.Name)
	if known && !v.open && v.baseURL == p.BaseURL && len(p.Keys) == 0 && len(p.Header) == 0 {
		return fmt.Errorf("%s takes no request without a key; write keys: [secret:%s_api_key], or another base_url", p.Name, p.Name)
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

// checkAlias checks the name of an alias.
func checkAlias(name string) error {
	switch {
	case strings.Contains(name, "/"):
		return errors.New("an alias has no slash in its name: what has one is provider/model")
	case name == "" || len(name) > maxModel || strings.ContainsFunc(name, notInModel):
		return fmt.Errorf("an alias has 1 to %d bytes, and no white space", maxModel)
	default:
		return nil
	}
}

// checkModel checks a provider's own name of a model.
func checkModel(name string) error {
	if name == "" || len(name) > maxModel || strings.ContainsFunc(name, notInModel) {
		return fmt.Errorf("the name of a model has 1 to %d bytes, and no white space", maxModel)
	}
	return nil
}

// checkTarget checks that a target leads to a provider that is there.
func (t *Table) checkTarget(target Target) error {
	if err := checkModel(target.Model); err != nil {
		return err
	}
	if target.Weight > MaxWeight {
		return fmt.Errorf("%s has weight %d; it must be 1 to %d", target, target.Weight, MaxWeight)
	}
	p := t.byName[target.Provider]
	switch {
	case p == nil:
		return fmt.Errorf("%s: there is no provider %q; %s", target, target.Provider, t.listProviders())
	case len(p.Models) > 0 && !slices.Contains(p.Models, target.Model):
		return fmt.Errorf("%s: provider %s has only %s", target, target.Provider, strings.Join(p.Models, ", "))
	default:
		return nil
	}
}

// listProviders says which providers there are.
func (t *Table) listProviders() string {
	names := make([]string, 0, len(t.byName))
	for name := range t.byName {
		names = append(names, name)
	}
	if len(names) == 0 {
		return "there is none: name it under providers"
	}
	slices.Sort(names)
	return "there are " + strings.Join(names, ", ")
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
	if len(value) > 4096 || strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
		return fmt.Errorf("header %s: a value has at most 4096 bytes and is one line", name)
	}
	return nil
}
