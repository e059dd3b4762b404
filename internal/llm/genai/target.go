package genai

import (
	"net/url"
	"strconv"

	"github.com/neuron7x/mlsdm-integrations/internal/llm/providers"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/vendors"
)

// Target is who is asked, as spans and metrics name him.
type Target struct {
	// Provider is gen_ai.provider.name: one of the conventions' own names, or ours where they have none.
	Provider string
	// Address and Port are those of the server; empty and 0 for a model in this process.
	Address string
	Port    int
	// Local says that the model is in this process.
	Local bool
	// OpenAI says that the attributes of OpenAI's (openai.*) apply.
	OpenAI bool
	// Formats are those in which vectors are asked for; none where the server decides.
	Formats []string
}

// TargetOf names a provider by where it is, since an operator may call it anything; who speaks OpenAI's protocol at an address that is
// not known is known by his name, and after that as openai, which is what the conventions want of the best guess.
func TargetOf(p *providers.Provider, api vendors.API) *Target {
	t := &Target{Provider: nameOf(p, api), Local: p.Protocol == vendors.Local, OpenAI: p.Protocol == vendors.OpenAI || p.Protocol == vendors.Azure}
	u, err := url.Parse(p.BaseURL)
	if t.Local || err != nil { // an address that is none has been refused long before
		return t
	}
	t.Address = u.Hostname()
	if t.Port, err = strconv.Atoi(u.Port()); err != nil {
		t.Port = map[string]int{"http": 80, "https": 443}[u.Scheme]
	}
	return t
}

// nameOf is the provider's name in the conventions.
func nameOf(p *providers.Provider, api vendors.API) string {
	if p.Protocol != vendors.OpenAI {
		return wellKnown(string(p.Protocol))
	}
	if v, known := vendors.At(p.BaseURL); known {
		return wellKnown(v.Name)
	}
	if v, known := vendors.Lookup(p.Name, api); known {
		return wellKnown(v.Name)
	}
	return wellKnown(string(vendors.OpenAI))
}

// wellKnown is the conventions' name of a vendor, where it differs from ours.
func wellKnown(name string) string {
	switch name {
	case string(vendors.Azure):
		return "azure.ai.openai"
	case "gemini":
		return "gcp.gemini"
	case "mistral":
		return "mistral_ai"
	case "xai":
		return "x_ai"
	default:
		return name
	}
}
