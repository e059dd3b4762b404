package catalog

import (
	"strings"

	"github.com/neuron7x/mlsdm-integrations/internal/llm/vendors"
)

// plain is a model of one provider of which the operator says nothing: what its vendor's documentation says. Which prefixes a model was
// trained with is not guessed: vectors that were made without them could not be compared any more.
func plain(p vendors.Protocol, target Target) Model {
	full := target.String()
	m := Model{Name: full, Space: full, Normalize: true, Targets: []Target{target}}
	name := target.Model
	switch p {
	case vendors.OpenAI, vendors.Azure:
		switch name[strings.LastIndexByte(name, '/')+1:] { // routers put the vendor before it
		case "text-embedding-3-small":
			m.Dimensions, m.Matryoshka = 1536, true
		case "text-embedding-3-large":
			m.Dimensions, m.Matryoshka = 3072, true
		case "text-embedding-ada-002":
			m.Dimensions = 1536
		}
	case vendors.Cohere:
		switch name {
		case "embed-v4.0":
			m.Dimensions, m.Matryoshka, m.Sizes = 1536, true, []int{256, 512, 1024, 1536}
		case "embed-english-v3.0", "embed-multilingual-v3.0":
			m.Dimensions = 1024
		case "embed-english-light-v3.0", "embed-multilingual-light-v3.0":
			m.Dimensions = 384
		}
	case vendors.Local:
		switch name {
		case "use-lite-512":
			m.Dimensions = 512
		case "hash-384":
			m.Dimensions = 384
		}
	case vendors.HuggingFace, vendors.TEI, vendors.Ollama, vendors.Anthropic: // their models are not known by their names
	}
	return m
}
