package audit_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/secretd/internal/audit"
)

// stream is a stream that can be away.
type stream struct {
	mu     sync.Mutex
	away   bool
	tries  int
	stored map[string]events.SecretAccess // by id
}

// PublishAll implements [audit.Publisher].
func (s *stream) PublishAll(ctx context.Context, msgs []bus.Msg) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tries++
	for i, m := range msgs {
		if s.away && i%2 == 1 { // half of them
			continue
		}
		var access events.SecretAccess
		if err := json.Unmarshal(m.Body, &access); err != nil || m.Subject != "mlsdm.audit.secrets" || m.Header[events.HeaderContentType] == nil {
			return errors.New("no record")
		}
		m.Header["Trace"] = nil // what it is given it keeps
		s.stored[m.ID] = access
	}
	if s.away {
		return errors.New("the stream is away")
	}
	return ctx.Err()
}

func (s *stream) set(away bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.away = away
}

func (s *stream) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.stored)
}

// open starts a log.
func open(t *testing.T, to *stream) (*audit.Log, *prometheus.Registry, *bytes.Buffer, func(time.Duration)) {
	t.Helper()
	to.stored = map[string]events.SecretAccess{}
	registry, log := prometheus.NewRegistry(), &bytes.Buffer{}
	l, err := audit.New(to, "mlsdm.audit.secrets", audit.MakeKey(), slog.New(slog.NewTextHandler(log, nil)), registry)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- l.Run(ctx) }()
	return l, registry, log, func(patience time.Duration) {
		l.Close()
		timer := time.AfterFunc(patience, cancel)
		require.NoError(t, <-done)
		timer.Stop()
		cancel()
	}
}

func outcomes(t *testing.T, registry *prometheus.Registry, stored, lost int) {
	t.Helper()
	families, err := registry.Gather()
	require.NoError(t, err)
	got := map[string]int{"stored": 0, "lost": 0}
	for _, family := range families {
		if family.GetName() == "mlsdm_secret_audit_records_total" {
			for _, m := range family.GetMetric() {
				got[m.GetLabel()[0].GetValue()] = int(m.GetCounter().GetValue())
			}
		}
	}
	require.Equal(t, map[string]int{"stored": stored, "lost": lost}, got)
}

func TestRecordsAreStored(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		to := &stream{}
		l, registry, _, end := open(t, to)
		for i := range 1000 {
			l.Record(events.SecretAccess{Caller: "a", LatencyMS: float64(i)})
		}
		require.NoError(t, l.Check())
		end(time.Hour)
		require.Equal(t, 1000, to.count())
		require.Less(t, to.tries, 20, "many at once")
		outcomes(t, registry, 1000, 0)
	})
}

// TestRecordsWait while the stream is away, and each is stored once then.
func TestRecordsWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		to := &stream{away: true}
		l, registry, log, end := open(t, to)
		for range 500 {
			l.Record(events.SecretAccess{Caller: "a"})
		}
		<-time.After(time.Minute)
		synctest.Wait()
		require.Error(t, l.Check())
		require.Contains(t, log.String(), "cannot be recorded now")
		require.Less(t, strings.Count(log.String(), "\n"), 10, "and not a line for each attempt")
		to.set(false)
		<-time.After(time.Minute)
		synctest.Wait()
		require.NoError(t, l.Check())
		end(time.Hour)
		require.Equal(t, 500, to.count(), "under one id each")
		outcomes(t, registry, 500, 0)
	})
}

// TestThereIsAnEndToWhatWaits: what there is no room for, and what is left at the end, is counted and said.
func TestThereIsAnEndToWhatWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		to := &stream{away: true}
		l, registry, log, end := open(t, to)
		const many = 50_000
		for range many {
			l.Record(events.SecretAccess{Caller: "a"})
		}
		require.Contains(t, log.String(), "no more room")
		end(3 * time.Second)
		require.Contains(t, log.String(), "the process ends")
		outcomes(t, registry, 0, many)
	})
}

func TestNames(t *testing.T) {
	t.Parallel()
	key := []byte(strings.Repeat("k", audit.KeySize))
	hash := func(key []byte, name string) string {
		l, err := audit.New(&stream{}, "", key, slog.New(slog.DiscardHandler), nil)
		require.NoError(t, err)
		return l.Hash(name)
	}
	// printf openai_api_key | openssl dgst -sha256 -hmac kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk
	require.Len(t, hash(key, "openai_api_key"), 64)
	again := hash(key, "a")
	require.Equal(t, again, hash(key, "a"))
	require.NotEqual(t, hash(key, "a"), hash(key, "b"))
	require.NotEqual(t, hash(key, "a"), hash(audit.MakeKey(), "a"))

	read, err := audit.ParseKey(secret.NewValue(base64.StdEncoding.EncodeToString(key)))
	require.NoError(t, err)
	require.Equal(t, key, read)
	for _, text := range []string{"", "canary", base64.StdEncoding.EncodeToString([]byte("canary")), strings.Repeat("k", 44)} {
		_, err := audit.ParseKey(secret.NewValue(text))
		require.Error(t, err)
		require.NotContains(t, err.Error(), "canary")
	}
}
