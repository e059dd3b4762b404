package route

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/neuron7x/mlsdm-integrations/internal/llm/entry"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/wire"
)

// protocols lists all protocols, for errors.
const protocols = "openai, azure, anthropic, cohere, huggingface, ollama and local"

// known reports whether there is such a protocol.
func (p Protocol) known() bool {
	return slices.Contains([]Protocol{OpenAI, Azure, Anthropic, Cohere, HuggingFace, Ollama, Local}, p)
}

// check checks one provider.
func (p Provider) check() error {
	if err := entry.CheckName(p.Name); err != nil {
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
		if err := entry.CheckHeader(name, value); err != nil {
			return err
		}
	}
	return entry.CheckModels(p.Models)
}

// checkKeys checks that names and weights of keys are right, and that a vendor who takes no request without a key has one.
func (p Provider) checkKeys() error {
	if err := entry.CheckKeys(p.Keys); err != nil {
		return err
	}
	v, known := vendorOf(p.Name)
	if known && !v.open && v.baseURL == p.BaseURL && len(p.Keys) == 0 && len(p.Header) == 0 {
		return fmt.Errorf("%s takes no request without a key; write keys: [secret:%s_api_key], or another base_url", p.Name, p.Name)
	}
	return nil
}

// checkTarget checks that a target leads to a provider that is there.
func (t *Table) checkTarget(target Target) error {
	if err := entry.CheckModel(target.Model); err != nil {
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
