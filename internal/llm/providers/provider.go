// Package providers is the section providers of a configuration file, whatever the models are for: who can be asked, with which keys, and
// who of them stands behind the name of a model.
package providers

import (
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/neuron7x/mlsdm-integrations/internal/llm/vendors"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/wire"
)

// Provider is one provider as it is configured.
type Provider struct {
	// Name is what stands before the first slash of its models.
	Name     string
	Protocol vendors.Protocol
	// BaseURL is below what its server is asked; empty for [vendors.Local].
	BaseURL string
	// Keys are the API keys, of which one is used for each request. None: the server takes requests without one.
	Keys []Key
	// Header is sent with each request, beside what the protocol needs.
	Header map[string]string
	// Options are those of the protocol, which its adapter checks; see [NewOptions].
	Options map[string]string
	// Models are the only ones that can be asked for; empty: the provider decides.
	Models []string
}

// Has reports whether a model can be asked for.
func (p *Provider) Has(model string) bool {
	return len(p.Models) == 0 || slices.Contains(p.Models, model)
}

// HTTPHeader returns Header as it is sent.
func (p *Provider) HTTPHeader() http.Header {
	h := make(http.Header, len(p.Header))
	for name, value := range p.Header {
		h.Set(name, value)
	}
	return h
}

// check checks what does not depend on other providers.
func (p *Provider) check(api vendors.API) error {
	if err := checkName(p.Name); err != nil {
		return err
	}
	if !p.Protocol.Speaks(api) {
		return fmt.Errorf("unknown protocol %q; there are %s", p.Protocol, vendors.Protocols(api))
	}
	if p.Protocol == vendors.Local {
		if p.BaseURL != "" || len(p.Keys) > 0 {
			return errors.New("models in this process have no base_url and no keys")
		}
	} else if _, err := wire.CheckBaseURL(p.BaseURL); err != nil {
		return err
	}
	if err := checkKeys(p.Keys); err != nil {
		return err
	}
	v, known := vendors.Lookup(p.Name, api)
	if known && !v.Open && v.BaseURL == p.BaseURL && len(p.Keys) == 0 && len(p.Header) == 0 {
		return fmt.Errorf("%s takes no request without a key; write keys: [secret:%s_api_key], or another base_url", p.Name, p.Name)
	}
	for name, value := range p.Header {
		if err := checkHeader(name, value); err != nil {
			return err
		}
	}
	return checkModels(p.Models)
}
