// Package memory watches how much memory a process uses, says so when that comes near to what it may use, and has it do with less.
//
// The limit is what the operator has set, else that of the Go runtime (GOMEMLIMIT), else the smallest of the cgroups that the process
// is in. What is compared with it is what the runtime has of the system; for a cgroup also what the cgroup uses, whichever is more.
//
// On the way up each of two thresholds is told of once: warning and critical. Before that, garbage is collected: what can be had back
// by itself is no news. A threshold is told of again when the use has been five points below it. While memory is critical the process
// sheds what it can do without (see [Parts.Sheds]); when that does not help it in time, it is to end.
package memory

import (
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"runtime/debug"
	"time"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

const (
	// rearmPoints is how far below a threshold the use must have been for the threshold to be told of again, in percent.
	rearmPoints = 5
	// last is the share of the limit, in percent, at which there is no time left to wait.
	last = 98
	// lookEvery is how often the use is looked at.
	lookEvery = time.Second
	// soften is at which share of a cgroup's limit, in percent, the Go runtime begins to collect all the garbage that it can: between
	// the thresholds, since what is not garbage is to be told of.
	soften = 85
	// collectEvery is how often at most garbage is collected only to see whether a threshold is really passed.
	collectEvery = 10 * time.Second
)

// Options are what a watcher needs. The fields up to Emergency are required, the others have defaults.
type Options struct {
	Config Config
	// Service and Instance name the process in events.
	Service, Instance string
	Parts             *Parts
	// Exceeded is told of each threshold that was passed. It must not block.
	Exceeded func(events.MemoryThresholdExceeded)
	// Emergency ends the process. The watch is over then.
	Emergency func(ctx context.Context, why events.SystemEmergencyShutdown)

	// Log takes the lines of the watch; nil discards them.
	Log *slog.Logger
	// Files are those of the system, from its root on; nil are those of this one.
	Files fs.FS
	// Used returns what the Go runtime uses, SoftLimit its limit, SetSoftLimit sets that, and Collect collects garbage and gives back
	// what is free. Nil is the runtime's own.
	Used, SoftLimit func() int64
	SetSoftLimit    func(bytes int64)
	Collect         func()
}

// Watcher watches the memory of this process. Make one with [New].
type Watcher struct {
	Options

	limit     limit
	level     level // that was told of
	since     time.Time
	collected time.Time // when a threshold turned out not to be passed; zero for never
	blind     bool      // the cgroup could not be read the last time
	trend     trend
	gauges    gauges
}

// level is how near the use is to the limit.
type level int

const (
	normal level = iota
	warning
	critical
)

// New makes a watcher and finds the limit.
func New(o Options) (*Watcher, error) {
	if err := o.Config.Validate(); err != nil {
		return nil, err
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Files == nil {
		o.Files = os.DirFS("/")
	}
	if o.Used == nil {
		o.Used = mapped
	}
	if o.SoftLimit == nil {
		o.SoftLimit = softLimit
	}
	if o.SetSoftLimit == nil {
		o.SetSoftLimit = func(bytes int64) { debug.SetMemoryLimit(bytes) }
	}
	if o.Collect == nil {
		o.Collect = debug.FreeOSMemory
	}
	w := &Watcher{Options: o}
	configured, off, err := o.Config.bytes()
	if err != nil || off {
		return w, err
	}
	if w.limit, err = findLimit(configured, o.SoftLimit(), o.Files); err != nil {
		o.Log.Debug("a limit of memory could not be read", "err", err)
	}
	w.gauges.limit.Store(w.limit.bytes)
	return w, nil
}

// Run watches until ctx ends, or until [Options.Emergency] has returned. Without a limit it returns at once.
func (w *Watcher) Run(ctx context.Context) error {
	if w.limit.bytes == 0 {
		w.Log.DebugContext(ctx, "memory is not watched: there is no limit")
		return nil
	}
	w.Log.DebugContext(ctx, "memory is watched", "limit_bytes", w.limit.bytes, "limit_from", w.limit.from)
	if w.limit.from == FromCgroup {
		// The runtime knows nothing of cgroups: its heap would double between two looks, and the kernel kill the process before it has said
		// a word.
		before := w.SoftLimit()
		w.SetSoftLimit(w.limit.bytes / 100 * soften)
		defer func() {
			if ctx.Err() != nil { // else the process is to drain, which needs memory too
				w.SetSoftLimit(before)
			}
		}()
	}
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		if why := w.look(ctx, time.Now()); why != nil {
			w.Emergency(ctx, *why)
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// look looks at the use once, and does what is to be done. It returns why the process must end, if it must.
func (w *Watcher) look(ctx context.Context, now time.Time) *events.SystemEmergencyShutdown {
	used := w.measure(ctx)
	w.trend.note(now, used)
	if w.at(used) > w.level {
		used = w.rise(ctx, now, used)
	} else {
		w.fall(ctx, used)
	}
	w.gauges.used.Store(used)
	w.gauges.level.Store(int64(w.level))
	if w.level != critical || w.Config.Grace == 0 {
		return nil
	}
	if w.share(used) >= last {
		w.Collect()
		used = w.measure(ctx)
	}
	if w.share(used) < last && now.Sub(w.since) < w.Config.Grace {
		return nil
	}
	reason := fmt.Sprintf("memory: %.1f %% of the limit of %d bytes are in use", w.share(used), w.limit.bytes)
	if waited := now.Sub(w.since); waited >= lookEvery {
		reason += fmt.Sprintf(", and could not be freed for %s", waited.Truncate(time.Second))
	}
	return &events.SystemEmergencyShutdown{
		Service: w.Service, Instance: w.Instance, Reason: reason, Trigger: events.TriggerMemory, UsedBytes: used, LimitBytes: w.limit.bytes,
	}
}

// rise tells of the thresholds that are passed, if they still are when garbage has been collected, and sheds load at the upper one. It
// returns what is in use then.
func (w *Watcher) rise(ctx context.Context, now time.Time, used int64) int64 {
	if !w.collected.IsZero() && now.Sub(w.collected) < collectEvery && w.share(used) < last {
		return used
	}
	w.Collect()
	used = w.measure(ctx)
	reached := w.at(used)
	if reached <= w.level {
		w.collected = now
		return used
	}
	w.collected = time.Time{}
	for w.level < reached {
		w.level++
		w.tell(ctx, used)
	}
	if w.level == critical {
		w.since = now
		w.Log.WarnContext(ctx, "memory is critical: caches shrink, and no new durable work is taken until it is not")
		w.Parts.shed(true)
		w.Collect()
		used = w.measure(ctx)
	}
	return used
}

// fall takes back what was said and done when the use is far enough below a threshold.
func (w *Watcher) fall(ctx context.Context, used int64) {
	for w.level > normal && w.share(used) < float64(w.threshold(w.level)-rearmPoints) {
		if w.level == critical {
			w.Log.InfoContext(ctx, "memory is not critical any more: work goes on", "used_bytes", used, "limit_bytes", w.limit.bytes)
			w.Parts.shed(false)
		}
		w.level--
	}
}

// tell tells of the threshold of the level.
func (w *Watcher) tell(ctx context.Context, used int64) {
	word := events.LevelWarning
	if w.level == critical {
		word = events.LevelCritical
	}
	e := events.MemoryThresholdExceeded{
		Service: w.Service, Instance: w.Instance, Level: word, UsedBytes: used, LimitBytes: w.limit.bytes, LimitFrom: w.limit.from,
		Threshold: float64(w.threshold(w.level)) / 100, TrendBytesPerSecond: w.trend.perSecond(), TopConsumers: w.Parts.largest(events.MaxMemoryConsumers),
	}
	w.Log.WarnContext(ctx, "memory has passed a threshold", "memory_level", word, "used_bytes", used, "limit_bytes", w.limit.bytes,
		"limit_from", w.limit.from, "threshold", e.Threshold, "trend_bytes_per_second", int64(e.TrendBytesPerSecond))
	w.Exceeded(e)
}

// measure returns what is in use.
func (w *Watcher) measure(ctx context.Context) int64 {
	used := w.Used()
	if w.limit.from != FromCgroup {
		return used
	}
	ofGroup, err := w.limit.group.usage(w.Files)
	if err != nil && !w.blind {
		w.Log.DebugContext(ctx, "what the cgroup uses could not be read; what the Go runtime uses is compared with its limit", "err", err)
	}
	w.blind = err != nil
	return max(used, ofGroup)
}

// share is a use as a percentage of the limit.
func (w *Watcher) share(used int64) float64 { return 100 * float64(used) / float64(w.limit.bytes) }

// at returns the level of a use, without regard to what was before.
func (w *Watcher) at(used int64) level {
	for _, l := range []level{critical, warning} {
		if w.share(used) >= float64(w.threshold(l)) {
			return l
		}
	}
	return normal
}

// threshold is where a level begins, in percent.
func (w *Watcher) threshold(l level) int {
	if l == critical {
		return w.Config.Critical
	}
	return w.Config.Warning
}
