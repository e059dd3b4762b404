package limits

import "time"

// Config is the section limits of the configuration file. The zero value has no limits.
type Config struct {
	// Rules are the limits. All that match a request hold for it.
	Rules []Rule
	// Allow lets requests pass while the counts cannot be reached; otherwise they are refused. What they use is counted later.
	Allow bool
	// Wait is how long a request waits for the counts.
	Wait time.Duration
	// DefaultTokens is at how many tokens the answer of a request is estimated that does not bound it.
	DefaultTokens int
}

// Defaults of [Config].
const (
	DefaultWait   = 250 * time.Millisecond
	DefaultTokens = 1024
)

// Rule is a limit, or several for the same requests. What all its requests use counts together, unless it says otherwise.
type Rule struct {
	// Name is what the operator calls it. The counts are kept under it; without a name, under what the rule matches and counts
	// separately: so limits can be changed, and rules moved, without counting anew.
	Name string
	// Caller, Provider and Model are patterns of what it is about, in which * stands for any text. That of models matches
	// provider/model and aliases.
	Caller, Provider, Model string
	// EachCaller, EachProvider and EachModel give each of them the limits for itself.
	EachCaller, EachProvider, EachModel bool
	// RequestsPerMinute, TokensPerMinute and CostPerDay, in the currency of the price table, are the limits; 0 is none.
	RequestsPerMinute, TokensPerMinute int64
	CostPerDay                         float64
}
