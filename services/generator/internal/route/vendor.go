package route

// vendor is what is known of a provider by its name.
type vendor struct {
	protocol Protocol
	baseURL  string
	// open says that it takes requests without a key: it runs where the operator runs it.
	open bool
}

// vendorOf returns what is known of a provider that is called name; its addresses are those of the vendors' documentation. Of servers
// that an operator runs himself it is the address at which they listen when nothing else is said.
func vendorOf(name string) (v vendor, known bool) {
	switch name {
	case "openai":
		return vendor{OpenAI, "https://api.openai.com/v1", false}, true
	case "anthropic":
		return vendor{Anthropic, "https://api.anthropic.com", false}, true
	case "cohere":
		return vendor{Cohere, "https://api.cohere.com/v2", false}, true
	case "huggingface":
		return vendor{HuggingFace, "https://router.huggingface.co/v1", false}, true
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
	case "cerebras":
		return vendor{OpenAI, "https://api.cerebras.ai/v1", false}, true
	case "deepseek":
		return vendor{OpenAI, "https://api.deepseek.com/v1", false}, true
	case "fireworks":
		return vendor{OpenAI, "https://api.fireworks.ai/inference/v1", false}, true
	case "gemini":
		return vendor{OpenAI, "https://generativelanguage.googleapis.com/v1beta/openai", false}, true
	case "groq":
		return vendor{OpenAI, "https://api.groq.com/openai/v1", false}, true
	case "mistral":
		return vendor{OpenAI, "https://api.mistral.ai/v1", false}, true
	case "nvidia":
		return vendor{OpenAI, "https://integrate.api.nvidia.com/v1", false}, true
	case "openrouter":
		return vendor{OpenAI, "https://openrouter.ai/api/v1", false}, true
	case "perplexity":
		return vendor{OpenAI, "https://api.perplexity.ai", false}, true
	case "together":
		return vendor{OpenAI, "https://api.together.xyz/v1", false}, true
	case "xai":
		return vendor{OpenAI, "https://api.x.ai/v1", false}, true
	default:
		return vendor{}, false
	}
}

// vendors lists the names that vendorOf knows.
const vendors = "openai, anthropic, cohere, huggingface, ollama, local, vllm, llamacpp, lmstudio, cerebras, deepseek, fireworks, gemini, " +
	"groq, mistral, nvidia, openrouter, perplexity, together and xai"

// Known returns a provider of the name with what is known of its vendor: protocol and address. Keys are still to be added.
func Known(name string) (p Provider, known bool) {
	v, known := vendorOf(name)
	return Provider{Name: name, Protocol: v.protocol, BaseURL: v.baseURL}, known
}
