package webhook_test

import (
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/neuron7x/mlsdm-integrations/pkg/webhook"
)

// begin begins a webhook and checks how it stands.
func begin(t testing.TB, m *webhook.MemoryReplays, id string, want webhook.Standing) {
	t.Helper()
	got, err := m.Begin(t.Context(), id, time.Now().Add(time.Minute))
	wantError(t, err, nil)
	if got != want {
		t.Errorf("%s stands %d, want %d", id, got, want)
	}
}

// handle begins and ends a fresh webhook.
func handle(t testing.TB, m *webhook.MemoryReplays, id string, expires time.Time) {
	t.Helper()
	begin(t, m, id, webhook.Fresh)
	wantError(t, m.End(t.Context(), id, true, expires), nil)
}

func TestMemoryReplays(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := webhook.NewMemoryReplays(10)
		soon := time.Now().Add(time.Minute)
		begin(t, m, "a", webhook.Fresh)
		begin(t, m, "a", webhook.Busy)
		wantError(t, m.End(t.Context(), "a", false, soon), nil)
		begin(t, m, "a", webhook.Fresh)
		wantError(t, m.End(t.Context(), "a", true, soon), nil)
		begin(t, m, "a", webhook.Handled)
		wantError(t, m.End(t.Context(), "a", false, soon), nil) // of a claim that nobody holds
		wantError(t, m.End(t.Context(), "b", true, soon), nil)
		begin(t, m, "a", webhook.Handled)
		begin(t, m, "b", webhook.Fresh)
		<-time.After(time.Minute)
		begin(t, m, "a", webhook.Fresh)
		begin(t, m, "b", webhook.Busy) // what is being handled does not expire
	})
}

func TestMemoryReplaysIsBounded(t *testing.T) {
	t.Parallel()
	m := webhook.NewMemoryReplays(3)
	soon := time.Now().Add(time.Hour)
	begin(t, m, "busy", webhook.Fresh)
	for i := range 1000 {
		handle(t, m, strconv.Itoa(i), soon)
	}
	begin(t, m, "busy", webhook.Busy)
	begin(t, m, "999", webhook.Handled)
	begin(t, m, "998", webhook.Handled)
	begin(t, m, "997", webhook.Fresh) // forgotten; and being handled now, instead of 998
	begin(t, m, "998", webhook.Fresh)
	_, err := m.Begin(t.Context(), "one too many", soon)
	if err == nil {
		t.Error("a memory of three holds four")
	}
	wantError(t, m.End(t.Context(), "busy", false, soon), nil)
	begin(t, m, "one too many", webhook.Fresh)
}

// TestMemoryReplaysExpiresInAnyOrder: an id that lives long does not keep those behind it from expiring.
func TestMemoryReplaysExpiresInAnyOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := webhook.NewMemoryReplays(10)
		handle(t, m, "long", time.Now().Add(time.Hour))
		handle(t, m, "short", time.Now().Add(time.Minute))
		<-time.After(time.Minute)
		begin(t, m, "short", webhook.Fresh)
		begin(t, m, "long", webhook.Handled)
	})
}

func TestMemoryReplaysGivesEachToOne(t *testing.T) {
	t.Parallel()
	m := webhook.NewMemoryReplays(1000)
	var fresh atomic.Int32
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := range 100 {
				standing, err := m.Begin(t.Context(), strconv.Itoa(i), time.Now().Add(time.Hour))
				wantError(t, err, nil)
				if standing == webhook.Fresh {
					fresh.Add(1)
					wantError(t, m.End(t.Context(), strconv.Itoa(i), true, time.Now().Add(time.Hour)), nil)
				}
			}
		})
	}
	wg.Wait()
	if fresh.Load() != 100 {
		t.Errorf("%d of 100 were given out", fresh.Load())
	}
}
