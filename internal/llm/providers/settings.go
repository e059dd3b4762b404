package providers

import (
	"fmt"
	"slices"
	"strings"

	"github.com/neuron7x/mlsdm-integrations/internal/config"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/vendors"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
)

// Setting returns a provider as settings give it, with one key, which may be empty for none. The key is called by its setting.
func Setting(name string, protocol vendors.Protocol, baseURL string, key secret.Value) Provider {
	p := Provider{Name: name, Protocol: protocol, BaseURL: baseURL}
	if !key.IsZero() {
		p.Keys = []Key{{Name: name + "-api-key", Value: key}}
	}
	return p
}

// CheckSettings checks the texts of the keys that settings give, and returns what is wrong with each.
func CheckSettings(list []Provider) (errs []error) {
	for _, p := range list {
		for _, key := range p.Keys {
			if strings.ContainsFunc(strings.TrimSpace(key.Value.Reveal()), func(r rune) bool { return r <= ' ' || r > '~' }) {
				errs = append(errs, fmt.Errorf("%s: the API key holds a character that no key has (a space, a line break?)", key.Name))
			}
		}
	}
	return errs
}

// Others returns the references of a file but those of the keys that settings give, which have been seen to.
func Others(refs []config.Reference, settings []Provider) []config.Reference {
	seenTo := make(map[*secret.Reference]bool)
	for _, p := range settings {
		for _, key := range p.Keys {
			seenTo[key.Value.Reference()] = true
		}
	}
	return slices.DeleteFunc(refs, func(ref config.Reference) bool { return seenTo[ref.Secret] })
}
