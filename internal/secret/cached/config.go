package cached

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Never is the MaxStale of what is never served past its time.
const Never time.Duration = -1

// Config says how long is kept what, and how hard stores may be asked. A field that is zero is its default.
type Config struct {
	// TTL is how long a value is fresh; 5 minutes. It is 1 second at least.
	TTL time.Duration
	// MaxStale is how old a value may become while its store cannot be asked, counted from when the store gave it; 1 hour. [Never],
	// and all that is not above TTL, means that nothing is served past its time.
	MaxStale time.Duration
	// Negative is how long "no such secret" and "cannot be used" are remembered; 15 seconds, and 5 to 30 are allowed. It is also
	// the longest pause between two calls for one reference whose store fails.
	Negative time.Duration
	// Refused is how long "denied" and "gone" are remembered; 30 seconds, and 5 to 300 are allowed. It is longer than Negative:
	// asking again does not change what the store thinks of us, a human does; and refused calls are what rate limits and lockouts
	// count. Who has mended it asks with NoCache.
	Refused time.Duration
	// Timeout bounds one call to a store; 8 seconds.
	Timeout time.Duration
	// Patience is how long a Get that could have a stale value waits for a store; 1 second. A store that takes longer is too
	// slow for it; the call goes on.
	Patience time.Duration
	// Interval is how far apart calls for one reference with NoCache are at least; 1 second.
	Interval time.Duration
	// NoCacheRate is how many calls a second a store gets from Gets with NoCache, all references together; 50, and as many at
	// once.
	NoCacheRate int
	// Failures is how many calls to a store have to fail one after the other until it is left alone for 1, 2, 4 … 30 seconds; 5.
	Failures int
	// Keep is for how many TTLs after its last use a value is refreshed in the background, by [Cache.Run]; 10.
	Keep int
	// Background is how many calls that nobody waits for there are at a time; 4.
	Background int
	// MaxEntries and MaxBytes bound what is kept; 100,000 and 256 MiB. What was not used for longest is dropped first.
	MaxEntries int
	MaxBytes   int64

	// Log gets what nobody is told by an error: rotations, outages, what was dropped; nil is nowhere.
	Log *slog.Logger
	// Metrics is where metrics are registered, unless it is nil.
	Metrics prometheus.Registerer
}

func (c Config) withDefaults() Config {
	c.TTL = cmp.Or(c.TTL, 5*time.Minute)
	c.MaxStale = cmp.Or(c.MaxStale, time.Hour)
	c.Negative = cmp.Or(c.Negative, 15*time.Second)
	c.Refused = cmp.Or(c.Refused, 30*time.Second)
	c.Timeout = cmp.Or(c.Timeout, 8*time.Second)
	c.Patience = cmp.Or(c.Patience, time.Second)
	c.Interval = cmp.Or(c.Interval, time.Second)
	c.NoCacheRate = cmp.Or(c.NoCacheRate, 50)
	c.Failures = cmp.Or(c.Failures, 5)
	c.Keep = cmp.Or(c.Keep, 10)
	c.Background = cmp.Or(c.Background, 4)
	c.MaxEntries = cmp.Or(c.MaxEntries, 100_000)
	c.MaxBytes = cmp.Or(c.MaxBytes, 256<<20)
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

// Validate checks the ranges that stand at the fields; zero is not in them, for it is replaced before.
func (c Config) Validate() error {
	var errs []error
	check := func(good bool, format string, args ...any) {
		if !good {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	between := func(name string, d, least, most time.Duration) {
		check(d >= least && d <= most, "%s is %s; it must be %s to %s", name, d, least, most)
	}
	between("the TTL", c.TTL, time.Second, 30*24*time.Hour)
	check(c.MaxStale <= 30*24*time.Hour, "the longest staleness is %s; it must be at most %s", c.MaxStale, 30*24*time.Hour)
	between("the time for which nothing is remembered", c.Negative, 5*time.Second, 30*time.Second)
	between("the time for which refusals are remembered", c.Refused, 5*time.Second, 5*time.Minute)
	between("the timeout of stores", c.Timeout, time.Millisecond, time.Minute)
	between("the patience", c.Patience, time.Millisecond, time.Minute)
	between("the interval of calls without the cache", c.Interval, time.Millisecond, time.Minute)
	for name, n := range map[string]int64{
		"the rate of calls without the cache": int64(c.NoCacheRate), "the number of failures": int64(c.Failures),
		"the number of TTLs": int64(c.Keep), "the number of calls in the background": int64(c.Background),
		"the number of entries": int64(c.MaxEntries), "the number of bytes": c.MaxBytes,
	} {
		check(n >= 1, "%s is %d; it must be at least 1", name, n)
	}
	return errors.Join(errs...)
}
