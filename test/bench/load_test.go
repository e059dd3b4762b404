package bench_test

import (
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// measured is what became of one way under one load, round by round.
type measured struct {
	name   string
	rates  []float64 // answers a second
	cpu    []float64 // µs a request of the process that passes it on
	others []float64 // cores that had nothing to do with it
	p50    []float64 // milliseconds
	p99    []float64
	peak   float64 // MiB that the process has held at the most, ever
}

// median returns the median; 0 of none.
func middle(all []float64) float64 {
	if len(all) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(all))
	return sorted[len(sorted)/2]
}

// ratio is the median over the rounds of how many times what is measured is that of the floor in the same round.
func ratio(all, floor []float64) float64 {
	ratios := make([]float64, 0, len(all))
	for i := range min(len(all), len(floor)) {
		if floor[i] > 0 {
			ratios = append(ratios, all[i]/floor[i])
		}
	}
	return middle(ratios)
}

// load puts a load on a way for a time and returns how long each request took.
type load func(b *testing.B, w *way, lasts time.Duration) []time.Duration

// saturate has n workers ask, each as soon as it has its answer.
func saturate(n int) load {
	return func(b *testing.B, w *way, lasts time.Duration) (took []time.Duration) {
		b.Helper()
		var mu sync.Mutex
		var all sync.WaitGroup
		end := time.Now().Add(lasts)
		for worker := range n {
			all.Go(func() {
				var mine []time.Duration
				for begin := time.Now(); begin.Before(end); {
					if err := w.ask(worker); err != nil {
						b.Errorf("%s: %v", w.name, err)
						return
					}
					now := time.Now()
					mine, begin = append(mine, now.Sub(begin)), now
				}
				mu.Lock()
				defer mu.Unlock()
				took = append(took, mine...)
			})
		}
		all.Wait()
		return took
	}
}

// atRate asks so often a second, whatever became of those before. The time of each counts from when it was to be sent.
func atRate(perSecond int) load {
	return func(b *testing.B, w *way, lasts time.Duration) []time.Duration {
		b.Helper()
		count := int(lasts.Seconds() * float64(perSecond))
		took, failed := make([]time.Duration, count), atomic.Bool{}
		var all sync.WaitGroup
		start := time.Now()
		for i := range count {
			due := start.Add(time.Duration(i) * time.Second / time.Duration(perSecond))
			time.Sleep(time.Until(due)) //nolint:forbidigo // this is the load
			all.Go(func() {
				if err := w.ask(i); err != nil && !failed.Swap(true) {
					b.Errorf("%s: %v", w.name, err)
				}
				took[i] = time.Since(due)
			})
		}
		all.Wait()
		return took
	}
}

// compare puts a load on several ways in turns, so that a busy neighbour meets all, and so often. The first round does not count.
func (m *models) compare(b *testing.B, ways []*way, rounds int, lasts time.Duration, put load) []*measured {
	b.Helper()
	results := make([]*measured, len(ways))
	for i, w := range ways {
		results[i] = &measured{name: w.name}
		put(b, w, lasts/4)
	}
	for range rounds {
		for i, w := range ways {
			m.measure(b, results[i], w, lasts, put)
		}
	}
	for i, w := range ways {
		if w.by != nil {
			results[i].peak = peakRSS(b, w.by.PID())
		}
	}
	return results
}

// measure adds one round.
func (m *models) measure(b *testing.B, r *measured, w *way, lasts time.Duration, put load) {
	b.Helper()
	before, machine, start := m.usage(b), machineCPU(b), time.Now()
	var mine time.Duration
	if w.by != nil {
		mine = cpu(b, w.by.PID())
	}
	took := put(b, w, lasts)
	wall := time.Since(start)
	n := float64(len(took))
	if w.by != nil {
		r.cpu = append(r.cpu, float64((cpu(b, w.by.PID())-mine).Microseconds())/n)
	}
	others := max(machineCPU(b)-machine-(m.usage(b)-before), 0)
	slices.Sort(took)
	at := func(p float64) float64 { return float64(took[min(int(p*n), len(took)-1)].Microseconds()) / 1000 }
	r.rates = append(r.rates, n/wall.Seconds())
	r.others = append(r.others, others.Seconds()/wall.Seconds())
	r.p50, r.p99 = append(r.p50, at(.5)), append(r.p99, at(.99))
}
