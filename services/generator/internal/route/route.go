// Package route says where requests go: which providers there are, and which of their models stand behind a name.
//
// It comes from a file of the operator's ([Read]) or from settings ([New]). It asks nobody.
package route

import (
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/llm/providers"
)

// Bounds of a table.
const (
	// MaxTargets is how many targets a name has at most.
	MaxTargets = 64
	// MaxWeight is the greatest weight of a target; the least is 1.
	MaxWeight = providers.MaxWeight

	maxAliases = 10_000
)

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
