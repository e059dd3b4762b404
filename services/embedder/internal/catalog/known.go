package catalog

import "strings"

// vendor is what is known of a provider by its name.
type vendor struct {
	protocol Protocol
	baseURL  string
	// open says that it takes calls without a key: it runs where the operator runs it.
	open bool
}

// vendorOf returns what is known of a provider that is called name; its addresses are those of the vendors' documentation. Of servers
// that an operator runs himself it is the address at which they listen when nothing else is said.
func vendorOf(name string) (v vendor, known bool) {
	switch name {
	case "openai":
		return vendor{OpenAI, "https://api.openai.com/v1", false}, true
	case "cohere":
		return vendor{Cohere, "https://api.cohere.com/v2", false}, true
	case "huggingface":
		return vendor{HuggingFace, "https://router.huggingface.co/v1", false}, true
	case "tei":
		return vendor{TEI, "http://localhost:8080", true}, true
	case "ollama":
		return vendor{Ollama, "http://localhost:11434", true}, true
	case "local":
		return vendor{Local, "", true}, true
	case "vllm":
		return vendor{OpenAI, "http://localhost:8000/v1", true}, true
	case "llamacpp":
		return vendor{OpenAI, "http://localhost:8080/v1", true}, true
	case "lmstudio":
		return vendor{OpenAI, "http://localhost:1234/v1", true}, true
	case "fireworks":
		return vendor{OpenAI, "https://api.fireworks.ai/inference/v1", false}, true
	case "gemini":
		return vendor{OpenAI, "https://generativelanguage.googleapis.com/v1beta/openai", false}, true
	case "mistral":
		return vendor{OpenAI, "https://api.mistral.ai/v1", false}, true
	case "nvidia":
		return vendor{OpenAI, "https://integrate.api.nvidia.com/v1", false}, true
	case "openrouter":
		return vendor{OpenAI, "https://openrouter.ai/api/v1", false}, true
	case "together":
		return vendor{OpenAI, "https://api.together.xyz/v1", false}, true
	default:
		return vendor{}, false
	}
}

// vendors lists the names that vendorOf knows.
const vendors = "openai, cohere, huggingface, tei, ollama, local, vllm, llamacpp, lmstudio, fireworks, gemini, mistral, nvidia, openrouter and together"

// Known returns a provider of the name with what is known of its vendor: protocol and address. Keys are still to be added.
func Known(name string) (p Provider, known bool) {
	v, known := vendorOf(name)
	return Provider{Name: name, Protocol: v.protocol, BaseURL: v.baseURL}, known
}

// plain is a model of one provider of which the operator says nothing: what its vendor's documentation says. Which prefixes a model was
// trained with is not guessed: vectors that were made without them could not be compared any more.
func plain(p Protocol, target Target) Model {
	full := target.String()
	m := Model{Name: full, Space: full, Normalize: true, Targets: []Target{target}}
	name := target.Model
	switch p {
	case OpenAI, Azure:
		switch name[strings.LastIndexByte(name, '/')+1:] { // routers put the vendor before it
		case "text-embedding-3-small":
			m.Dimensions, m.Matryoshka = 1536, true
		case "text-embedding-3-large":
			m.Dimensions, m.Matryoshka = 3072, true
		case "text-embedding-ada-002":
			m.Dimensions = 1536
		}
	case Cohere:
		switch name {
		case "embed-v4.0":
			m.Dimensions, m.Matryoshka, m.Sizes = 1536, true, []int{256, 512, 1024, 1536}
		case "embed-english-v3.0", "embed-multilingual-v3.0":
			m.Dimensions = 1024
		case "embed-english-light-v3.0", "embed-multilingual-light-v3.0":
			m.Dimensions = 384
		}
	case Local:
		switch name {
		case "use-lite-512":
			m.Dimensions = 512
		case "hash-384":
			m.Dimensions = 384
		}
	case HuggingFace, TEI, Ollama: // their models are not known by their names
	}
	return m
}
