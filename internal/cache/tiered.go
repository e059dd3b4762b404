package cache

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// farTimeout bounds one visit to Redis. A cache that is slower than this is no help.
const farTimeout = 500 * time.Millisecond

// Tiered is a [Store] of a near tier in the process and, perhaps, a far one that replicas share. Its methods never return
// an error. A nil *Tiered is a cache that is always empty.
type Tiered struct {
	near    *Memory
	far     *Redis        // nil: there is none
	copyFor time.Duration // how long what was found in Redis stays in the process
	breaker *breaker
	log     *slog.Logger
	lookups *prometheus.CounterVec
	errors  prometheus.Counter
}

var (
	_ Store = (*Memory)(nil)
	_ Store = (*Redis)(nil)
	_ Store = (*Tiered)(nil)
)

// newTiered puts near in front of far, which may be nil. The ttl is that of what will be kept.
func newTiered(near *Memory, far *Redis, ttl time.Duration, log *slog.Logger, reg prometheus.Registerer) (*Tiered, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	t := &Tiered{
		near: near, far: far, copyFor: min(nearCopy, ttl/10), breaker: newBreaker(), log: log,
		lookups: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "mlsdm_cache_lookups_total", Help: "Keys looked up, by where they were found: memory, redis, none.",
		}, []string{"tier"}),
		errors: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "mlsdm_cache_redis_errors_total", Help: "Visits to Redis that failed.",
		}),
	}
	if reg == nil {
		return t, nil
	}
	size := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "mlsdm_cache_memory_bytes", Help: "What the in-process cache holds, roughly.",
	}, func() float64 { return float64(near.Bytes()) })
	for _, c := range []prometheus.Collector{t.lookups, t.errors, size} {
		if err := reg.Register(c); err != nil {
			return nil, fmt.Errorf("cache metrics: %w", err)
		}
	}
	return t, nil
}

// GetMulti implements [Store]. What only the far tier has is kept in the near one as well, for a while.
func (t *Tiered) GetMulti(ctx context.Context, keys []string) (map[string][]byte, error) {
	if t == nil {
		return nil, nil //nolint:nilnil // a nil map is empty
	}
	found, err := t.near.GetMulti(ctx, keys)
	if err != nil {
		return nil, err
	}
	t.lookups.WithLabelValues("memory").Add(float64(len(found)))
	var missing []string
	for _, key := range keys {
		if _, ok := found[key]; !ok {
			missing = append(missing, key)
		}
	}
	if len(missing) > 0 && t.far != nil && t.breaker.allow() {
		var remote map[string][]byte
		t.visit(ctx, "get", func(ctx context.Context) (err error) {
			remote, err = t.far.GetMulti(ctx, missing)
			return err
		})
		t.lookups.WithLabelValues("redis").Add(float64(len(remote)))
		maps.Copy(found, remote)
		if err := t.near.SetMulti(ctx, remote, t.copyFor); err != nil {
			return found, err
		}
	}
	t.lookups.WithLabelValues("none").Add(float64(len(keys) - len(found)))
	return found, nil
}

// nearCopy is how long what was found in Redis stays in the process at most, and a tenth of the lifetime of what is kept
// when that is less: how much of it is left is known only to Redis, which keeps everything for a tenth less.
const nearCopy = 10 * time.Minute

// SetMulti implements [Store]. The far tier is written even when ctx has ended: the work is done and paid for.
func (t *Tiered) SetMulti(ctx context.Context, entries map[string][]byte, ttl time.Duration) error {
	if t == nil || len(entries) == 0 {
		return nil
	}
	if err := t.near.SetMulti(ctx, entries, ttl); err != nil {
		return err
	}
	if t.far != nil && t.breaker.allow() {
		t.visit(context.WithoutCancel(ctx), "set", func(ctx context.Context) error {
			return t.far.SetMulti(ctx, entries, ttl)
		})
	}
	return nil
}

// visit does one thing at Redis and takes note of how it went. An ended context of the caller is not Redis's failure.
func (t *Tiered) visit(ctx context.Context, what string, do func(context.Context) error) {
	bounded, cancel := context.WithTimeout(ctx, farTimeout)
	defer cancel()
	err := do(bounded)
	if err != nil && ctx.Err() != nil {
		return
	}
	if err != nil {
		t.errors.Inc()
	}
	if changed := t.breaker.report(err); !changed {
		return
	}
	if err != nil {
		t.log.WarnContext(ctx, "redis fails; working with the in-process cache alone", "operation", what, "err", err)
	} else {
		t.log.InfoContext(ctx, "redis works again")
	}
}

// Check asks Redis whether it is there; the error says why the cache is only half of what it should be. It is nil when
// there is no Redis to ask.
func (t *Tiered) Check(ctx context.Context) error {
	if t == nil || t.far == nil {
		return nil
	}
	t.visit(ctx, "ping", t.far.Ping)
	if err := t.breaker.failure(); err != nil {
		return fmt.Errorf("the cache is not shared: %w", err)
	}
	return nil
}

// Close ends the connections and goroutines of the cache.
func (t *Tiered) Close() error {
	if t == nil {
		return nil
	}
	t.near.Close()
	if t.far == nil {
		return nil
	}
	if err := t.far.Close(); err != nil {
		return errors.Join(errors.New("closing redis"), err)
	}
	return nil
}
