// Package route says where requests go: which providers there are, and which of their models stand behind a name.
//
// It comes from a file of the operator's ([Read]) or from settings ([New]). It asks nobody, and knows the protocols of providers by
// their names only.
package route

import (
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/llm/entry"
)

// Protocol is what a provider's server speaks.
type Protocol string

// The protocols.
const (
	// OpenAI is chat completions, which many servers speak.
	OpenAI Protocol = "openai"
	// Azure is OpenAI's protocol as Azure serves it.
	Azure Protocol = "azure"
	// Anthropic is Anthropic's messages.
	Anthropic Protocol = "anthropic"
	// Cohere is Cohere's chat, version 2.
	Cohere Protocol = "cohere"
	// HuggingFace is the router of Hugging Face.
	HuggingFace Protocol = "huggingface"
	// Ollama is Ollama's own.
	Ollama Protocol = "ollama"
	// Local is no server: models in this process.
	Local Protocol = "local"
)

// Bounds of a table.
const (
	// MaxKeys is how many keys a provider has at most.
	MaxKeys = entry.MaxKeys
	// MaxTargets is how many targets a name has at most.
	MaxTargets = 64
	// MaxWeight is the greatest weight of a key or a target; the least is 1.
	MaxWeight = entry.MaxWeight

	maxProviders = 256
	maxAliases   = 10_000
)

// Provider is one provider as it is configured.
type Provider struct {
	// Name is what stands before the first slash of its models.
	Name     string
	Protocol Protocol
	// BaseURL is below what its server is asked; empty for [Local].
	BaseURL string
	// Keys are the API keys, of which one is used for each request. None: the server takes requests without one.
	Keys []Key
	// Header is sent with each request, beside what the protocol needs.
	Header map[string]string
	// Options are those of the protocol, which its adapter checks.
	Options map[string]string
	// Models are the only ones that can be asked for; empty: the provider decides.
	Models []string
}

// Key is one API key of a provider.
type Key = entry.Key

// Target is one model of one provider.
type Target struct {
	// Provider and Model are its parts; Model is the provider's own name.
	Provider, Model string
	// ID is "provider/model".
	ID string
	// Weight is its share of the requests among the targets of its tier, 1 to [MaxWeight]; 0 counts as 1.
	Weight int
}

// String returns ID.
func (t Target) String() string { return t.ID }

// Options are what an alias says about its requests.
type Options struct {
	// Cache keeps answers, and gives them to who asks the same again.
	Cache bool
	// Timeout bounds a whole request, with all its attempts; zero is what the caller and the service allow.
	Timeout time.Duration
	// Answer bounds one attempt at an answer in one piece, FirstToken the wait for the first output of a stream, Idle the pauses
	// in it. Zero is the default.
	Answer, FirstToken, Idle time.Duration
	// Retries is how often one target is tried again; nil is the default.
	Retries *int
}

// Alias is a name for targets.
type Alias struct {
	// Name has no slash.
	Name string
	// Tiers are tried in order, and the targets of each by weight.
	Tiers   [][]Target
	Options Options
}

// Route is where one request may go. It is not changed.
type Route struct {
	// Name is what was asked for: an alias, or "provider/model".
	Name string
	// Alias says that it is an alias.
	Alias bool
	// Tiers are tried in order, and the targets of each by weight.
	Tiers   [][]Target
	Options Options

	targets int
	one     [1]Target // of a route to one model
	tier    [1][]Target
}

// Targets returns how many there are.
func (r *Route) Targets() int { return r.targets }

// Order appends the targets to list, in the order in which they are to be tried: tier by tier, and within each at random, by weight,
// none twice. rnd returns a number in [0, 1), as [math/rand/v2.Float64] does.
func (r *Route) Order(list []Target, rnd func() float64) []Target {
	for _, tier := range r.Tiers {
		begin := len(list)
		list = append(list, tier...)
		shuffle(list[begin:], rnd)
	}
	return list
}

// shuffle draws one after the other, each with a chance in proportion to its weight among those that are left.
func shuffle(tier []Target, rnd func() float64) {
	sum := 0
	for i := range tier {
		sum += max(tier[i].Weight, 1)
	}
	for ; len(tier) > 1; tier = tier[1:] {
		at, drawn := 0, int(rnd()*float64(sum))
		for ; at < len(tier)-1; at++ {
			if drawn -= max(tier[at].Weight, 1); drawn < 0 {
				break
			}
		}
		sum -= max(tier[at].Weight, 1)
		first := tier[at]
		copy(tier[1:at+1], tier[:at]) // the others keep their order
		tier[0] = first
	}
}
