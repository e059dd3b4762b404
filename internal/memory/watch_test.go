package memory_test

import (
	"bytes"
	"context"
	"log/slog"
	"math"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/memory"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// house is a process with a limit of 1000 MiB, in a bubble.
type house struct {
	t         *testing.T
	used      atomic.Int64 // MiB
	garbage   atomic.Int64 // MiB of it that collecting frees
	collected atomic.Int64
	sheds     atomic.Int64
	resumes   atomic.Int64
	softened  atomic.Int64 // the limit that the Go runtime was given, 0 for none
	told      []events.MemoryThresholdExceeded
	ends      []events.SystemEmergencyShutdown
	parts     memory.Parts
	log       bytes.Buffer
	watcher   *memory.Watcher
	done      chan error
}

const mib = 1 << 20

func config() memory.Config {
	return memory.Config{Limit: "1000MiB", Warning: 80, Critical: 92, Grace: time.Minute}
}

// watch starts the watch.
func watch(t *testing.T, cfg memory.Config, files fstest.MapFS, softLimit int64) *house {
	t.Helper()
	h := &house{t: t, done: make(chan error, 1)}
	h.parts.Sheds("load", func() { h.sheds.Add(1) }, func() { h.resumes.Add(1) })
	var err error
	h.watcher, err = memory.New(memory.Options{
		Config: cfg, Service: "embedder", Instance: "one", Parts: &h.parts, Files: files,
		Exceeded:     func(e events.MemoryThresholdExceeded) { h.told = append(h.told, e) },
		Emergency:    func(_ context.Context, why events.SystemEmergencyShutdown) { h.ends = append(h.ends, why) },
		Log:          slog.New(slog.NewTextHandler(&h.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Used:         func() int64 { return h.used.Load() * mib },
		SoftLimit:    func() int64 { return softLimit },
		SetSoftLimit: func(bytes int64) { h.softened.Store(bytes) },
		Collect: func() {
			h.collected.Add(1)
			h.used.Add(-h.garbage.Swap(0))
		},
	})
	require.NoError(t, err)
	go func() { h.done <- h.watcher.Run(t.Context()) }()
	synctest.Wait()
	return h
}

// use has the process use so much, and lets time pass.
func (h *house) use(mebibytes int64, d time.Duration) {
	h.used.Store(mebibytes)
	<-time.After(d)
	synctest.Wait()
}

// levels are those that were told of since the last time.
func (h *house) levels() (levels []string) {
	for _, e := range h.told {
		require.NoError(h.t, e.Validate())
		levels = append(levels, e.Level)
	}
	h.told = nil
	return levels
}

func TestThresholdsAreToldOfOnceOnTheWayUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := watch(t, config(), nil, 0)
		h.use(799, 5*time.Second)
		require.Empty(t, h.levels())
		h.use(800, 5*time.Second)
		require.Equal(t, []string{"warning"}, h.levels())
		h.use(751, 5*time.Second) // not five points below
		h.use(810, 5*time.Second)
		require.Empty(t, h.levels())
		h.use(749, 5*time.Second)
		h.use(810, 5*time.Second)
		require.Equal(t, []string{"warning"}, h.levels())
		require.Zero(t, h.sheds.Load())

		h.use(930, 5*time.Second)
		require.Equal(t, []string{"critical"}, h.levels())
		require.EqualValues(t, 1, h.sheds.Load())
		h.use(871, 5*time.Second)
		h.use(930, 5*time.Second)
		require.Empty(t, h.levels())
		require.Zero(t, h.resumes.Load(), "five points are needed to resume, too")
		h.use(869, 5*time.Second)
		require.EqualValues(t, 1, h.resumes.Load())
		h.use(930, 5*time.Second)
		require.Equal(t, []string{"critical"}, h.levels())
		h.use(100, 5*time.Second)
		require.EqualValues(t, 2, h.resumes.Load())
		h.use(930, 5*time.Second)
		require.Equal(t, []string{"warning", "critical"}, h.levels(), "both were passed")
		require.Empty(t, h.ends)
	})
}

// Else the kernel kills a process whose heap doubles between two looks.
func TestTheRuntimeIsToldOfTheCgroup(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fromCgroup := memory.Config{Warning: 80, Critical: 92, Grace: time.Minute}
		h := watch(t, fromCgroup, version2("1000000000", "0", ""), math.MaxInt64)
		require.EqualValues(t, 850_000_000, h.softened.Load())
		h = watch(t, config(), version2("1000000000", "0", ""), math.MaxInt64)
		require.Zero(t, h.softened.Load(), "the operator has said what the limit is")
		h = watch(t, fromCgroup, version2("1000000000", "0", ""), 500*mib)
		require.Zero(t, h.softened.Load(), "the runtime has a limit of its own")
	})
}

func TestThresholdEventSaysWhatIsKnown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := watch(t, config(), nil, 0)
		for name, size := range map[string]int64{"a": 1, "b": 70, "c": 30, "d": 40, "e": 50, "f": 60, "nothing": 0} {
			h.parts.Sub("cache").Holds(name, func() int64 { return size })
		}
		h.parts.Sub("cache").Holds("b", func() int64 { return 20 }) // instead
		h.use(100, 10*time.Second)
		h.use(850, 10*time.Second)
		require.Len(t, h.told, 1)
		e := h.told[0]
		require.Positive(t, e.TrendBytesPerSecond)
		e.TrendBytesPerSecond = 0
		require.Equal(t, events.MemoryThresholdExceeded{
			Service: "embedder", Instance: "one", Level: "warning", UsedBytes: 850 * mib, LimitBytes: 1000 * mib, LimitFrom: "configured", Threshold: 0.8,
			TopConsumers: []events.MemoryConsumer{{Name: "cache: f", Bytes: 60}, {Name: "cache: e", Bytes: 50}, {Name: "cache: d", Bytes: 40}, {Name: "cache: c", Bytes: 30}, {Name: "cache: b", Bytes: 20}},
		}, e)
	})
}

// Memory shrinks: that is a trend too, and an old sample is none.
func TestTrend(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := watch(t, config(), nil, 0)
		h.use(0, 10*time.Minute)
		h.use(810, 30*time.Second+time.Millisecond)
		require.Equal(t, []string{"warning"}, h.levels())
		h.use(700, 2*time.Minute)
		h.use(820, time.Second)
		require.Len(t, h.told, 1)
		require.InDelta(t, 120*mib/60, h.told[0].TrendBytesPerSecond, 0.1*mib, "of the last minute")
	})
}

func TestGarbageIsNoNews(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := watch(t, config(), nil, 0)
		for range 20 {
			h.garbage.Store(500)
			h.use(950, time.Second)
		}
		require.Empty(t, h.levels())
		require.Zero(t, h.sheds.Load())
		require.LessOrEqual(t, h.collected.Load(), int64(3), "collecting costs too")
		require.Positive(t, h.collected.Load())
		h.garbage.Store(0)
		h.used.Store(950)
		<-time.After(11 * time.Second)
		synctest.Wait()
		require.Equal(t, []string{"warning", "critical"}, h.levels(), "now it is none")
	})
}

func TestWhatCannotRecoverEnds(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		grace  time.Duration
		used   int64
		after  time.Duration
		ends   bool
		reason string
	}{
		"not yet":              {time.Minute, 930, 59 * time.Second, false, ""},
		"for too long":         {time.Minute, 930, 62 * time.Second, true, "memory: 93.0 % of the limit of 1048576000 bytes are in use, and could not be freed for 1m0s"},
		"no time is left":      {time.Minute, 980, 2 * time.Second, true, "memory: 98.0 % of the limit of 1048576000 bytes are in use"},
		"beyond the limit":     {time.Minute, 2000, 2 * time.Second, true, "memory: 200.0 % of the limit of 1048576000 bytes are in use"},
		"it is not to":         {0, 2000, time.Hour, false, ""},
		"warning is no reason": {time.Minute, 910, time.Hour, false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				cfg := config()
				cfg.Grace = tt.grace
				h := watch(t, cfg, nil, 0)
				h.use(tt.used, tt.after)
				if !tt.ends {
					require.Empty(t, h.ends)
					return
				}
				require.NoError(t, <-h.done)
				require.Equal(t, []events.SystemEmergencyShutdown{{
					Service: "embedder", Instance: "one", Reason: tt.reason, Trigger: "memory", UsedBytes: tt.used * mib, LimitBytes: 1000 * mib,
				}}, h.ends)
				require.NotEmpty(t, h.levels(), "it was told of before")
				require.EqualValues(t, 1, h.sheds.Load())
			})
		})
	}
}

// What frees memory when it is told to is given the time for it: it is measured again before anything ends.
func TestSheddingHelps(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := watch(t, config(), nil, 0)
		h.parts.Sheds("cache", func() { h.used.Add(-500) }, func() {})
		h.use(990, time.Hour)
		require.Empty(t, h.ends)
		require.Equal(t, []string{"warning", "critical"}, h.levels())
		require.EqualValues(t, 1, h.resumes.Load())
	})
}

func TestLateLoadIsShedAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := watch(t, config(), nil, 0)
		h.use(930, 2*time.Second)
		shed := 0
		h.parts.Sub("late").Sheds("load", func() { shed++ }, func() { shed-- })
		require.Equal(t, 1, shed)
		h.use(0, 2*time.Second)
		require.Zero(t, shed)
	})
}

func TestNoLimitIsSaidOnce(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		limit string
		files fstest.MapFS
	}{
		"none": {"", fstest.MapFS{}}, "off": {memory.Off, version2("1048576000", "0", "")},
		"no limit in the cgroup": {"", version2("max", "0", "")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				cfg := config()
				cfg.Limit = tt.limit
				h := watch(t, cfg, tt.files, 0)
				require.NoError(t, <-h.done)
				require.Equal(t, 1, bytes.Count(h.log.Bytes(), []byte("\n")), h.log.String())
				require.Contains(t, h.log.String(), "level=DEBUG")
				require.Contains(t, h.log.String(), "there is no limit")
				require.NoError(t, h.watcher.Register(nil), "and no metrics")
			})
		})
	}
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := watch(t, config(), nil, 0)
		registry := prometheus.NewRegistry()
		require.NoError(t, h.watcher.Register(registry))
		h.use(930, 2*time.Second)
		want := map[string]float64{"mlsdm_memory_used_bytes": 930 * mib, "mlsdm_memory_limit_bytes": 1000 * mib, "mlsdm_memory_level": 2}
		families, err := registry.Gather()
		require.NoError(t, err)
		require.Len(t, families, len(want))
		for _, f := range families {
			require.InDelta(t, want[f.GetName()], f.GetMetric()[0].GetGauge().GetValue(), 0, f.GetName())
		}
		n, err := testutil.GatherAndCount(registry)
		require.NoError(t, err)
		require.Equal(t, 3, n)
		require.Error(t, h.watcher.Register(registry), "twice")
	})
}
