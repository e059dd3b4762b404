package cached_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/internal/secret/cached"
)

// states are all in which a reference can be, each with what leads there. The TTL is 5 minutes, MaxStale an hour.
func states() map[string]func(t *testing.T, w *world) {
	known := func(then time.Duration) func(*testing.T, *world) {
		return func(t *testing.T, w *world) {
			t.Helper()
			require.Equal(t, "v1", w.get(t.Context(), cached.Options{}))
			pass(then)
		}
	}
	failed := func(before func(*testing.T, *world), err error, want string, then time.Duration) func(*testing.T, *world) {
		return func(t *testing.T, w *world) {
			t.Helper()
			before(t, w)
			w.store.set(fails(err))
			require.Equal(t, want, w.get(t.Context(), cached.Options{}))
			synctest.Wait()
			pass(then)
		}
	}
	away := func(before func(*testing.T, *world), then time.Duration) func(*testing.T, *world) {
		return func(t *testing.T, w *world) {
			t.Helper()
			before(t, w)
			w.store.set(fails(secret.ErrUnavailable))
			for n := range 5 {
				_, err := w.Get(t.Context(), other(n), cached.Options{})
				require.ErrorIs(t, err, secret.ErrUnavailable)
			}
			pass(then)
		}
	}
	lent := func(t *testing.T, w *world) {
		t.Helper()
		w.store.set(lends("1", time.Minute))
		known(2*time.Minute)(t, w)
	}
	cold := func(*testing.T, *world) {}
	const soon, later = 100 * time.Millisecond, 2 * time.Second // in the pause after one failure, and behind it
	return map[string]func(t *testing.T, w *world){
		"cold":                   cold,
		"fresh":                  known(2 * time.Minute),
		"ahead":                  known(255 * time.Second),
		"ahead, failed just now": failed(known(255*time.Second), secret.ErrUnavailable, "v1", soon),
		"ahead, failed":          failed(known(255*time.Second), secret.ErrUnavailable, "v1", later),
		"past":                   known(10 * time.Minute),
		"stale, failed just now": failed(known(10*time.Minute), secret.ErrUnavailable, "v1~", soon),
		"stale":                  failed(known(10*time.Minute), secret.ErrUnavailable, "v1~", later),
		"stale, failed long ago": failed(known(10*time.Minute), secret.ErrUnavailable, "v1~", 10*time.Minute),
		"too old":                known(2 * time.Hour),
		"too old, was stale":     failed(known(10*time.Minute), secret.ErrUnavailable, "v1~", 2*time.Hour),
		"lease ended":            lent,
		"missing":                failed(cold, secret.ErrNotFound, "none", 10*time.Second),
		"missing, over":          failed(cold, secret.ErrNotFound, "none", 16*time.Second),
		"refused":                failed(cold, secret.ErrDenied, "denied", 25*time.Second),
		"refused, over":          failed(cold, secret.ErrDenied, "denied", 31*time.Second),
		"purged, over":           failed(known(10*time.Minute), secret.ErrGone, "gone", 31*time.Second),
		"unusable":               failed(cold, secret.ErrUnusable, "unusable", 10*time.Second),
		"failing just now":       failed(cold, secret.ErrUnavailable, "down", soon),
		"failing":                failed(cold, secret.ErrUnavailable, "down", later),
		"store away, cold":       away(cold, soon),
		"store away, fresh":      away(known(2*time.Minute), soon),
		"store away, ahead":      away(known(255*time.Second), soon),
		"store away, past":       away(known(10*time.Minute), soon),
		"store away, too old":    away(known(2*time.Hour), soon),
		"store away, over, cold": away(cold, 3*time.Second),
		"store away, over, past": away(known(10*time.Minute), 3*time.Second),
	}
}

// answers are what the store can say to the next call, by column of the tables.
func answers() [][]func(context.Context, secret.Ref) (secret.Entry, error) {
	type answer = func(context.Context, secret.Ref) (secret.Entry, error)
	entry := func(text string) answer {
		return func(context.Context, secret.Ref) (secret.Entry, error) {
			return secret.Entry{Value: secret.NewValue(text), Source: secret.StoreVault, Version: "2"}, nil
		}
	}
	return [][]answer{
		{gives("1")},
		{gives("2")},
		{fails(secret.ErrNotFound), entry("")},
		{fails(secret.ErrGone)},
		{fails(secret.ErrDenied)},
		{fails(secret.ErrUnusable), entry(strings.Repeat(canary, secret.MaxValue/len(canary)+1))},
		{
			fails(secret.ErrUnavailable), hangs, fails(errors.New("what no store should say")), lends("2", -time.Second), fails(context.Canceled),
			func(context.Context, secret.Ref) (secret.Entry, error) { panic(canary) },
		},
	}
}

// TestTable is every state against every answer. A cell is what a Get returns, what another one returns when the call has ended,
// how often the store was called, and what the observer was told, if it was told something.
func TestTable(t *testing.T) {
	t.Parallel()
	all := func(cell string) []string { return []string{cell, cell, cell, cell, cell, cell, cell} }
	for name, test := range map[string]struct {
		o     cached.Options
		table map[string][]string
	}{
		// the same, another version, not found, gone, denied, unusable, transient
		"get": {cached.Options{}, map[string][]string{
			"cold":                   {"v1 v1 1 -", "v2 v2 1 -", "none none 1 -", "gone gone 1 -", "denied denied 1 -", "unusable unusable 1 -", "down down 1 -"},
			"fresh":                  all("v1 v1 0 -"),
			"ahead":                  {"v1 v1 1 -", "v1 v2 1 R", "v1 none 1 P", "v1 gone 1 P", "v1 denied 1 P", "v1 unusable 1 P", "v1 v1 1 -"},
			"ahead, failed just now": all("v1 v1 0 -"),
			"ahead, failed":          {"v1 v1 1 -", "v1 v2 1 R", "v1 none 1 P", "v1 gone 1 P", "v1 denied 1 P", "v1 unusable 1 P", "v1 v1 1 -"},
			"past":                   {"v1 v1 1 -", "v2 v2 1 R", "none none 1 P", "gone gone 1 P", "denied denied 1 P", "unusable unusable 1 P", "v1~ v1~ 1 U"},
			"stale, failed just now": all("v1~ v1~ 0 -"),
			"stale":                  {"v1~ v1 1 C", "v1~ v2 1 CR", "v1~ none 1 CP", "v1~ gone 1 CP", "v1~ denied 1 CP", "v1~ unusable 1 CP", "v1~ v1~ 1 -"},
			"stale, failed long ago": {"v1 v1 1 C", "v2 v2 1 CR", "none none 1 CP", "gone gone 1 CP", "denied denied 1 CP", "unusable unusable 1 CP", "v1~ v1~ 1 -"},
			"too old":                {"v1 v1 1 -", "v2 v2 1 R", "none none 1 -", "gone gone 1 -", "denied denied 1 -", "unusable unusable 1 -", "down down 1 -"},
			"too old, was stale":     {"v1 v1 1 C", "v2 v2 1 CR", "none none 1 C", "gone gone 1 C", "denied denied 1 C", "unusable unusable 1 C", "down down 1 -"},
			"lease ended":            {"v1 v1 1 -", "v2 v2 1 R", "none none 1 -", "gone gone 1 -", "denied denied 1 -", "unusable unusable 1 -", "down down 1 -"},
			"missing":                all("none none 0 -"),
			"missing, over":          {"v1 v1 1 -", "v2 v2 1 -", "none none 1 -", "gone gone 1 -", "denied denied 1 -", "unusable unusable 1 -", "down down 1 -"},
			"refused":                all("denied denied 0 -"),
			"refused, over":          {"v1 v1 1 -", "v2 v2 1 -", "none none 1 -", "gone gone 1 -", "denied denied 1 -", "unusable unusable 1 -", "down down 1 -"},
			"purged, over":           {"v1 v1 1 -", "v2 v2 1 R", "none none 1 -", "gone gone 1 -", "denied denied 1 -", "unusable unusable 1 -", "down down 1 -"},
			"unusable":               all("unusable unusable 0 -"),
			"failing just now":       all("down down 0 -"),
			"failing":                {"v1 v1 1 -", "v2 v2 1 -", "none none 1 -", "gone gone 1 -", "denied denied 1 -", "unusable unusable 1 -", "down down 1 -"},
			"store away, cold":       all("down down 0 -"),
			"store away, fresh":      all("v1 v1 0 -"),
			"store away, ahead":      all("v1 v1 0 -"),
			"store away, past":       all("v1~ v1~ 0 U"),
			"store away, too old":    all("down down 0 -"),
			"store away, over, cold": {"v1 v1 1 -", "v2 v2 1 -", "none none 1 -", "gone gone 1 -", "denied denied 1 -", "unusable unusable 1 -", "down down 1 -"},
			"store away, over, past": {"v1 v1 1 -", "v2 v2 1 R", "none none 1 P", "gone gone 1 P", "denied denied 1 P", "unusable unusable 1 P", "v1~ v1~ 1 U"},
		}},
		"get without stale": {cached.Options{MaxStale: cached.Never}, map[string][]string{
			"past":                   {"v1 v1 1 -", "v2 v2 1 R", "none none 1 P", "gone gone 1 P", "denied denied 1 P", "unusable unusable 1 P", "down down 1 U"},
			"stale, failed just now": all("down down 0 -"),
			"store away, past":       all("down down 0 -"),
		}},
		"get without the cache": {cached.Options{NoCache: true}, map[string][]string{
			"cold":                   {"v1 v1 1 -", "v2 v2 1 -", "none none 1 -", "gone gone 1 -", "denied denied 1 -", "unusable unusable 1 -", "down down 1 -"},
			"fresh":                  {"v1 v1 1 -", "v2 v2 1 R", "none none 1 P", "gone gone 1 P", "denied denied 1 P", "unusable unusable 1 P", "down v1 1 -"},
			"ahead":                  {"v1 v1 1 -", "v2 v2 1 R", "none none 1 P", "gone gone 1 P", "denied denied 1 P", "unusable unusable 1 P", "down v1 1 -"},
			"ahead, failed just now": all("down v1 0 -"), // the call was less than a second ago
			"ahead, failed":          {"v1 v1 1 -", "v2 v2 1 R", "none none 1 P", "gone gone 1 P", "denied denied 1 P", "unusable unusable 1 P", "down v1 1 -"},
			"past":                   {"v1 v1 1 -", "v2 v2 1 R", "none none 1 P", "gone gone 1 P", "denied denied 1 P", "unusable unusable 1 P", "down v1~ 1 U"},
			"stale":                  {"v1 v1 1 C", "v2 v2 1 CR", "none none 1 CP", "gone gone 1 CP", "denied denied 1 CP", "unusable unusable 1 CP", "down v1~ 1 -"},
			"too old":                {"v1 v1 1 -", "v2 v2 1 R", "none none 1 -", "gone gone 1 -", "denied denied 1 -", "unusable unusable 1 -", "down down 1 -"},
			"lease ended":            {"v1 v1 1 -", "v2 v2 1 R", "none none 1 -", "gone gone 1 -", "denied denied 1 -", "unusable unusable 1 -", "down down 1 -"},
			"missing":                {"v1 v1 1 -", "v2 v2 1 -", "none none 1 -", "gone gone 1 -", "denied denied 1 -", "unusable unusable 1 -", "down down 1 -"},
			"refused":                {"v1 v1 1 -", "v2 v2 1 -", "none none 1 -", "gone gone 1 -", "denied denied 1 -", "unusable unusable 1 -", "down down 1 -"},
			"purged, over":           {"v1 v1 1 -", "v2 v2 1 R", "none none 1 -", "gone gone 1 -", "denied denied 1 -", "unusable unusable 1 -", "down down 1 -"},
			"failing":                {"v1 v1 1 -", "v2 v2 1 -", "none none 1 -", "gone gone 1 -", "denied denied 1 -", "unusable unusable 1 -", "down down 1 -"},
			"store away, cold":       all("down down 0 -"),
			"store away, fresh":      all("down v1 0 -"),
			"store away, past":       all("down v1~ 0 U"),
			"store away, over, past": {"v1 v1 1 -", "v2 v2 1 R", "none none 1 P", "gone gone 1 P", "denied denied 1 P", "unusable unusable 1 P", "down v1~ 1 U"},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for state, cells := range test.table {
				t.Run(state, func(t *testing.T) {
					t.Parallel()
					lead := states()[state]
					require.NotNil(t, lead)
					for column, those := range answers() {
						for n, answer := range those {
							cell(t, fmt.Sprintf("%d.%d", column, n), test.o, lead, answer, cells[column])
						}
					}
				})
			}
		})
	}
	require.NotEmpty(t, states())
}

// cell is one cell of the table.
func cell(
	t *testing.T, name string, o cached.Options, lead func(*testing.T, *world),
	answer func(context.Context, secret.Ref) (secret.Entry, error), want string,
) {
	t.Helper()
	cfg := cached.Config{Timeout: 200 * time.Millisecond, Patience: 50 * time.Millisecond}
	inBubble(t, cfg, func(t *testing.T, w *world) {
		lead(t, w)
		w.store.taken()
		w.saw.taken()
		logged := strings.Count(w.log.String(), " ref=")
		w.store.set(answer)
		first := w.get(t.Context(), o)
		pass(300 * time.Millisecond)
		calls := w.store.taken()
		second := w.get(t.Context(), cached.Options{MaxStale: o.MaxStale})
		synctest.Wait()
		heard := w.saw.taken()
		require.Equal(t, want, fmt.Sprintf("%s %s %d %s", first, second, calls, heard), name)
		require.Zero(t, w.store.taken(), "%s: the second Get asked again", name)
		require.Equal(t, len(strings.Trim(heard, "-")), strings.Count(w.log.String(), " ref=")-logged, "%s: what is told is logged: %s", name, w.log)
	})
}
