// Package catalog says which embedding models there are: who serves them, in which space their vectors lie, and what is to be known to
// ask for them.
//
// It comes from a file of the operator's and from settings ([Read]). It asks nobody.
package catalog

import (
	"strconv"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/providers"
	"github.com/neuron7x/mlsdm-integrations/internal/spaces"
)

// Pooling is how one vector is made of those of all tokens, where a server gives these.
type Pooling string

// The rules of pooling.
const (
	// PoolingNone is no rule: an answer that has to be pooled is refused.
	PoolingNone Pooling = ""
	// PoolingMean takes the mean of all vectors.
	PoolingMean Pooling = "mean"
	// PoolingCLS takes the first vector.
	PoolingCLS Pooling = "cls"
	// PoolingMax takes the largest number at each place.
	PoolingMax Pooling = "max"
	// PoolingLast takes the last vector.
	PoolingLast Pooling = "last"
)

// Bounds of a catalogue.
const (
	// MaxTargets is how many targets a name has at most.
	MaxTargets = 64
	// MaxRetries is how often a provider can be tried again at most.
	MaxRetries = 20
	// MaxInFlight is how many calls to a provider can be under way at most.
	MaxInFlight = 4096
	// MaxTimeout is how long one call may take at most.
	MaxTimeout = time.Hour

	minTimeout  = time.Millisecond
	maxModels   = 10_000
	maxRevision = 64   // bytes
	maxPrefix   = 4096 // bytes
	maxItems    = 100_000
	maxTokens   = 100_000_000
)

// Provider is one provider as it is configured, and how it is called.
type Provider struct {
	providers.Provider

	// Timeout bounds one call, 1 ms to [MaxTimeout]; 0 is the default.
	Timeout time.Duration
	// InFlight bounds the calls that are under way at the same time, 1 to [MaxInFlight]; 0 is the default.
	InFlight int
	// Retries is how often a call is tried again, 0 to [MaxRetries]; nil is the default.
	Retries *int
	// Base64 has vectors asked for in base64, which is quicker to read. It is for those who speak OpenAI's
	// or Cohere's protocol.
	Base64 bool
}

// Target is one model of one provider.
type Target struct {
	// Provider and Model are its parts; Model is the provider's own name.
	Provider, Model string
}

// String returns "provider/model".
func (t Target) String() string { return t.Provider + "/" + t.Model }

// Model is what stands behind the model of a request. It is not changed.
type Model struct {
	// Name is what was asked for: a name of the operator's, or "provider/model".
	Name string
	// Space is the identity of the model: vectors of one space and revision can be compared, whoever has made them. It is
	// "provider/model", unless the operator says another; so models of two providers share a space only if he says so.
	Space string
	// Revision tells apart what the operator knows to be different behind one name: other weights, other prefixes, another pooling.
	Revision string
	// Output is of what the numbers of vectors are that the provider is asked for. Where it is not floating point, Revision ends in it:
	// what is quantised lies in a space of its own.
	Output llm.OutputType
	// Dimensions is the length of the model's own vectors; 0 when nobody has said it.
	Dimensions int
	// Matryoshka says that vectors keep their sense when they are cut: to Sizes, or to any length if there are none.
	Matryoshka bool
	Sizes      []int
	// Normalize has vectors be made of length 1.
	Normalize bool
	// Prefixes are put before texts, by input type. See [Model.Prefix].
	Prefixes map[string]string
	// Limits are what the operator says that servers take at once. 0 is what they say themselves.
	Limits llm.EmbedLimits
	// Pooling is the rule for servers that answer a vector for each token.
	Pooling Pooling
	// Targets are tried in order. All of them answer vectors of the same space.
	Targets []Target
	// Other is the model that may answer, in another space, if the request permits it; empty: none.
	Other string
}

// Prefix is what is put before a text of an input type, which may be empty.
func (m *Model) Prefix(inputType string) string { return m.Prefixes[inputType] }

// SpaceID is the id of the space of vectors of the given length: "MODEL[@REVISION]/DIMENSIONS", and "/raw" behind it where vectors are
// not made of length 1.
func (m *Model) SpaceID(dimensions int) string {
	id := spaces.Name(m.Space, m.Revision) + "/" + strconv.Itoa(dimensions)
	if !m.Normalize {
		id += "/raw"
	}
	return id
}
