// Package vendors knows providers by their names: what their servers speak, and where they are.
package vendors

import (
	"net/url"
	"slices"
	"strings"
)

// Protocol is what a provider's server speaks.
type Protocol string

// The protocols.
const (
	// OpenAI is OpenAI's chat completions and embeddings, which many servers speak.
	OpenAI Protocol = "openai"
	// Azure is OpenAI's protocol as Azure serves it.
	Azure Protocol = "azure"
	// Anthropic is Anthropic's messages.
	Anthropic Protocol = "anthropic"
	// Cohere is Cohere's chat and embed, version 2.
	Cohere Protocol = "cohere"
	// HuggingFace is the router of Hugging Face: chat, and feature extraction.
	HuggingFace Protocol = "huggingface"
	// TEI is text-embeddings-inference's own.
	TEI Protocol = "tei"
	// Ollama is Ollama's own.
	Ollama Protocol = "ollama"
	// Local is no server: models in this process.
	Local Protocol = "local"
)

// API is what a server is asked for.
type API uint8

// What there is to be asked for.
const (
	// Chat is conversations.
	Chat API = 1 << iota
	// Embeddings is vectors of texts.
	Embeddings

	both = Chat | Embeddings
)

// OpenAIBaseURL is OpenAI's own address, which takes no request without a key.
const OpenAIBaseURL = "https://api.openai.com/v1"

// Vendor is what is known of a provider by its name.
type Vendor struct {
	Name     string
	Protocol Protocol
	// BaseURL is that of the vendor's documentation. Of servers that an operator runs himself it is the address at which they listen when
	// nothing else is said.
	BaseURL string
	// Open says that it takes requests without a key: it runs where the operator runs it.
	Open bool

	apis API
}

// table is all vendors.
func table() []Vendor {
	return []Vendor{
		{"openai", OpenAI, OpenAIBaseURL, false, both},
		{"anthropic", Anthropic, "https://api.anthropic.com", false, Chat},
		{"cohere", Cohere, "https://api.cohere.com/v2", false, both},
		{"huggingface", HuggingFace, "https://router.huggingface.co/v1", false, both},
		{"tei", TEI, "http://localhost:8080", true, Embeddings},
		{"ollama", Ollama, "http://localhost:11434", true, both},
		{"local", Local, "", true, both},
		{"vllm", OpenAI, "http://localhost:8000/v1", true, both},
		{"llamacpp", OpenAI, "http://localhost:8080/v1", true, both},
		{"lmstudio", OpenAI, "http://localhost:1234/v1", true, both},
		{"cerebras", OpenAI, "https://api.cerebras.ai/v1", false, Chat},
		{"deepseek", OpenAI, "https://api.deepseek.com/v1", false, Chat},
		{"fireworks", OpenAI, "https://api.fireworks.ai/inference/v1", false, both},
		{"gemini", OpenAI, "https://generativelanguage.googleapis.com/v1beta/openai", false, both},
		{"groq", OpenAI, "https://api.groq.com/openai/v1", false, Chat},
		{"mistral", OpenAI, "https://api.mistral.ai/v1", false, both},
		{"nvidia", OpenAI, "https://integrate.api.nvidia.com/v1", false, both},
		{"openrouter", OpenAI, "https://openrouter.ai/api/v1", false, both},
		{"perplexity", OpenAI, "https://api.perplexity.ai", false, Chat},
		{"together", OpenAI, "https://api.together.xyz/v1", false, both},
		{"xai", OpenAI, "https://api.x.ai/v1", false, Chat},
	}
}

// Lookup returns what is known of a provider that is called name, if it serves the API.
func Lookup(name string, api API) (v Vendor, known bool) {
	for _, v := range table() {
		if v.Name == name && v.apis&api != 0 {
			return v, true
		}
	}
	return Vendor{}, false
}

// At returns the vendor that is at the host of a base URL. Servers that an operator runs himself are nobody's.
func At(baseURL string) (v Vendor, known bool) {
	host := hostOf(baseURL)
	for _, v := range table() {
		if !v.Open && host != "" && hostOf(v.BaseURL) == host {
			return v, true
		}
	}
	return Vendor{}, false
}

// hostOf is the host of a URL, without the port.
func hostOf(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return ""
	}
	return strings.ToLower(u.Hostname())
}

// Names lists the names that [Lookup] knows, in words: "openai, cohere and xai".
func Names(api API) string {
	var names []string
	for _, v := range table() {
		if v.apis&api != 0 {
			names = append(names, v.Name)
		}
	}
	return List(names)
}

// Speaks reports whether there is such a protocol by which the API can be asked.
func (p Protocol) Speaks(api API) bool { return slices.Contains(protocols(api), string(p)) }

// Protocols lists the protocols by which the API can be asked, in words.
func Protocols(api API) string { return List(protocols(api)) }

// protocols are those by which the API can be asked.
func protocols(api API) []string {
	var names []string
	for _, p := range [...]struct {
		protocol Protocol
		apis     API
	}{
		{OpenAI, both},
		{Azure, both},
		{Anthropic, Chat},
		{Cohere, both},
		{HuggingFace, both},
		{TEI, Embeddings},
		{Ollama, both},
		{Local, both},
	} {
		if p.apis&api != 0 {
			names = append(names, string(p.protocol))
		}
	}
	return names
}

// List writes names in words, with an "and" before the last.
func List(names []string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " and " + names[last]
}
