//go:build containers

package containers_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/cache"
)

const (
	// manyKeys are looked up in Redis, and found there or nowhere.
	manyKeys = 300
	// longest is how long a request of the test may take. One that waits for Redis waits for a few visits of 250 ms each; an outage
	// lasts longer than this. Between is room for a machine that is slow and busy.
	longest = 10 * time.Second
)

// shared is a cache of a process that shares a Redis, as it is set by default.
type shared struct {
	*cache.Cache

	hot  *cache.Namespace // whose values the process keeps
	cold *cache.Namespace // whose values it does not: they come from Redis
	log  *lockedLog
}

func newShared(t *testing.T, change func(*cache.Config)) *shared {
	t.Helper()
	cfg := cache.Config{MemoryMB: 4, TTL: time.Hour}
	change(&cfg)
	s := &shared{log: &lockedLog{}}
	var err error
	s.Cache, err = cache.New(cfg, slog.New(slog.NewTextHandler(s.log, nil)), nil)
	require.NoError(t, err)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("log of the cache:\n%s", s.log.text())
		}
		require.NoError(t, s.Close())
	})
	s.hot, err = s.Namespace("hot", cache.Options{})
	require.NoError(t, err)
	s.cold, err = s.Namespace("cold", cache.Options{MaxBytes: 1, Wait: time.Second})
	require.NoError(t, err)
	return s
}

// isWell waits until Redis is read and written, which is said if it was not.
func (s *shared) isWell(t *testing.T) {
	t.Helper()
	until(t, func() bool {
		failed, over := s.log.failed()
		return s.Check(t.Context()) == nil && failed == over
	}, "the cache is well")
}

// found counts how many of the keys Redis has.
func (s *shared) found(t *testing.T) int {
	t.Helper()
	count := 0
	for i := range manyKeys {
		if value, ok := s.cold.Get(t.Context(), key(i)); ok {
			require.True(t, bytes.Equal(content(key(i)), value))
			count++
		}
	}
	return count
}

func key(i int) string { return "key-" + strconv.Itoa(i) }

// content is what is kept under a key, and under no other: long enough that it does not arrive in one piece.
func content(key string) []byte { return bytes.Repeat([]byte(key+";"), 16<<10/len(key)) }

// fill keeps what is looked up later.
func (s *shared) fill(t *testing.T) {
	t.Helper()
	for i := range manyKeys {
		s.cold.Set(t.Context(), key(i), content(key(i)))
	}
	s.hot.Set(t.Context(), "hot", content("hot"))
}

// traffic are requests that a cache gets all the time.
type traffic struct {
	stop context.CancelFunc
	all  sync.WaitGroup

	mu    sync.Mutex
	asked int
	max   time.Duration
	wrong error
}

// ask lets requests come until the traffic ends.
func ask(t *testing.T, s *shared) *traffic {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	tr := &traffic{stop: stop}
	t.Cleanup(func() { stop(); tr.all.Wait() })
	for _, request := range []func(context.Context, *shared) error{lookUp, lookUp, lookUpMany, lookUpMany, keep, load} {
		tr.all.Go(func() {
			again := time.NewTicker(20 * time.Millisecond)
			defer again.Stop()
			for ctx.Err() == nil {
				start := time.Now()
				tr.note(request(context.WithoutCancel(ctx), s), time.Since(start))
				select {
				case <-ctx.Done():
				case <-again.C:
				}
			}
		})
	}
	return tr
}

func (tr *traffic) note(err error, took time.Duration) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.asked++
	tr.max = max(tr.max, took)
	tr.wrong = errors.Join(tr.wrong, err)
}

// goesOn waits for more requests, so many, and none of all so far has failed or taken long.
func (tr *traffic) goesOn(t *testing.T, more int) {
	t.Helper()
	now := func() (asked int) {
		tr.mu.Lock()
		defer tr.mu.Unlock()
		require.NoError(t, tr.wrong)
		require.Less(t, tr.max, longest)
		return tr.asked
	}
	start := now()
	until(t, func() bool { return now() >= start+more }, "requests are answered")
}

// end ends the traffic.
func (tr *traffic) end(t *testing.T) {
	t.Helper()
	tr.goesOn(t, 100)
	tr.stop()
	tr.all.Wait()
	t.Logf("%d requests, the longest took %s", tr.asked, tr.max)
}

// lookUp finds what the process has, and looks for something that it has not.
func lookUp(ctx context.Context, s *shared) error {
	if value, ok := s.hot.Get(ctx, "hot"); !ok || !bytes.Equal(value, content("hot")) {
		return errors.New("what the process keeps is not there")
	}
	k := key(rand.IntN(manyKeys))
	value, ok := s.cold.Get(ctx, k)
	return right(k, value, ok)
}

func lookUpMany(ctx context.Context, s *shared) error {
	keys := make([]string, 16)
	for i := range keys {
		keys[i] = key(rand.IntN(manyKeys))
	}
	var wrong error
	for i, value := range s.cold.GetMulti(ctx, keys) {
		wrong = errors.Join(wrong, right(keys[i], value, value != nil))
	}
	return wrong
}

func keep(ctx context.Context, s *shared) error {
	k := key(rand.IntN(manyKeys))
	s.cold.Set(ctx, k, content(k))
	return nil
}

// load makes what is not there, which never fails.
func load(ctx context.Context, s *shared) error {
	k := "made-" + strconv.Itoa(rand.IntN(manyKeys))
	value, err := s.cold.GetOrLoad(ctx, k, func(context.Context) ([]byte, error) { return content(k), nil })
	return errors.Join(err, right(k, value, err == nil))
}

// right returns an error if what was found is another key's.
func right(key string, value []byte, found bool) error {
	if found && !bytes.Equal(value, content(key)) {
		return fmt.Errorf("under %s there is %.40q", key, value)
	}
	return nil
}

// lockedLog is a log that can be read while it is written.
type lockedLog struct {
	mu  sync.Mutex
	all bytes.Buffer
}

// Write is that of [io.Writer].
func (l *lockedLog) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.Write(line)
}

func (l *lockedLog) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.String()
}

// failed counts how many times Redis, or a node of it, has failed, and how many times it was said that this is over.
func (l *lockedLog) failed() (failed, over int) {
	text := l.text()
	return strings.Count(text, "redis fails;"), strings.Count(text, "redis works again") + strings.Count(text, "other nodes of redis have")
}
