package moral

import (
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
)

// Mode says whether the filter judges.
type Mode string

// The modes.
const (
	// Auto judges what has a score; without any there is no decision.
	Auto Mode = "auto"
	// On wants a score for every prompt. Without a scorer, a request that brings none is an error.
	On Mode = "on"
	// Off judges nothing.
	Off Mode = "off"
)

// Kind says where scores come from.
type Kind string

// The kinds of scorers.
const (
	// NoScorer switches the filter off: scores of requests do not count either.
	NoScorer Kind = "none"
	// Request takes the score that a request brings, and asks nobody.
	Request Kind = "request"
	// Moderation asks a moderation endpoint of OpenAI's protocol. The score is 1 minus the highest of its categories' scores.
	Moderation Kind = "moderation"
	// HTTP asks a service of the operator's.
	HTTP Kind = "http"
)

// Action is what happens to a text that the scorer should score and cannot.
type Action string

// The actions.
const (
	// Reject refuses the request, as unavailable: it was not judged, and may be later. It is the default, since a filter that
	// can be switched off by an outage is none.
	Reject Action = "reject"
	// Accept lets it pass without a decision.
	Accept Action = "accept"
)

// Config is the section moral_filter of the configuration file. [Default] makes one; the zero value is not valid.
type Config struct {
	Enabled Mode
	// Initial is the threshold as long as there is no stored one; Min and Max are its bounds. 0 <= Min <= Initial <= Max <= 1.
	Initial, Min, Max float64
	// Target is the share of accepted contents that the threshold aims at, 0 to 1; Band is how far from it nothing changes.
	Target, Band float64
	// Step is by how much the threshold changes after a decision; Alpha is the weight of a decision in the share, above 0, at most 1.
	Step, Alpha float64
	// Scorer is who scores.
	Scorer ScorerConfig
	// TrustRequest takes the score of a request that brings one, before any scorer's. Without it, who calls cannot get around the
	// scorer.
	TrustRequest bool
	// Output judges answers too. It needs a scorer that is asked.
	Output bool
	// Window is how many runes of a streamed answer are held back until they are scored, Overlap how many of those before them are
	// scored with them again, so that a phrase across the cut is seen.
	Window, Overlap int
	// OnScorerError is what happens when the scorer cannot be asked.
	OnScorerError Action
	// MaxText is the longest text that is judged, in bytes. A longer prompt is an error; a longer answer counts as one that the scorer
	// cannot score.
	MaxText int
	// IncludeText puts the judged text, and the scorer's own words, into the events.
	IncludeText bool
}

// ScorerConfig is who scores.
type ScorerConfig struct {
	Kind Kind
	// URL is the base URL of the moderation endpoint, without /moderations; or the whole URL of the operator's service.
	URL string
	// Key is sent as a bearer token; it may be zero.
	Key secret.Value
	// Model is the moderation endpoint's model; empty is its own choice.
	Model string
	// Header is sent to the operator's service.
	Header map[string]string
	// Timeout bounds one score, with its second try.
	Timeout time.Duration
}

// Default is the filter that is not configured: it judges requests that bring their score.
func Default() Config {
	return Config{
		Enabled: Auto, Initial: 0.5, Min: 0.3, Max: 0.9, Target: 0.5, Band: 0.05, Step: 0.05, Alpha: 0.1,
		Scorer: ScorerConfig{Kind: Request, Timeout: 2 * time.Second}, TrustRequest: true,
		Window: 400, Overlap: 100, OnScorerError: Reject, MaxText: 1 << 20,
	}
}

// asks reports whether there is a scorer that is asked.
func (c *Config) asks() bool {
	return c.Enabled != Off && (c.Scorer.Kind == Moderation || c.Scorer.Kind == HTTP)
}

// isOff reports whether nothing is ever judged.
func (c *Config) isOff() bool { return c.Enabled == Off || c.Scorer.Kind == NoScorer }
