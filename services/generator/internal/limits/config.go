package limits

import "time"

// Config is the section limits of the configuration file.
type Config struct {
	Rules []Rule
	// Allow lets requests pass while the counts cannot be reached; otherwise they are refused.
	Allow bool
	// Wait is how long a request waits for the counts.
	Wait time.Duration
	// DefaultTokens is what the answer of a request is estimated at that does not bound it.
	DefaultTokens int
}

// Rule is one limit, or several of the same requests.
type Rule struct {
	// Name is what the operator calls it, and what its counts are kept under; empty: they are kept under what it matches.
	Name string
	// Caller, Provider and Model are patterns in which * stands for any text. Model matches provider/model and aliases.
	Caller, Provider, Model string
	// EachCaller, EachProvider and EachModel count separately for each of them. Without, all that match share one limit.
	EachCaller, EachProvider, EachModel bool
	// RequestsPerMinute, TokensPerMinute and CostPerDay, in US dollars, are the limits; 0 is none.
	RequestsPerMinute, TokensPerMinute int64
	CostPerDay                         float64
}
