package memory

import (
	"io/fs"
	"math"
	"runtime/debug"
	"runtime/metrics"
)

// Where a limit is from, as events say.
const (
	FromConfigured = "configured"
	FromGo         = "gomemlimit"
	FromCgroup     = "cgroup"
)

// limit is what a process may use.
type limit struct {
	bytes int64 // 0 is no limit
	from  string
	group cgroup // whose limit it is, when it is from a cgroup
}

// findLimit returns the first limit that there is: the configured one, that of the Go runtime, the smallest of the cgroups.
func findLimit(configured, ofGo int64, files fs.FS) (limit, error) {
	switch {
	case configured > 0:
		return limit{bytes: configured, from: FromConfigured}, nil
	case ofGo > 0 && ofGo < unlimited:
		return limit{bytes: ofGo, from: FromGo}, nil
	}
	bytes, group, err := smallest(files)
	if bytes == 0 {
		return limit{}, err
	}
	return limit{bytes: bytes, from: FromCgroup, group: group}, nil
}

// softLimit returns the memory limit of the Go runtime; [math.MaxInt64] is none.
func softLimit() int64 { return debug.SetMemoryLimit(-1) }

// mapped returns what the Go runtime has of the system and has not given back: what it compares with its own limit.
func mapped() int64 {
	samples := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	metrics.Read(samples)
	total, released := samples[0].Value.Uint64(), samples[1].Value.Uint64()
	return int64(min(total-min(released, total), math.MaxInt64))
}
