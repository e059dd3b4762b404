package bus_test

import (
	"context"
	"errors"
	"strconv"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

const eventsStream = "MLSDM_EVENTS"

// publishEvents stores n events, numbered from 1, on custom.<number modulo 3>.
func publishEvents(t testing.TB, b *bus.Bus, n int, body []byte) {
	t.Helper()
	for first := 1; first <= n; first += 1000 {
		msgs := make([]bus.Msg, min(1000, n-first+1))
		for i := range msgs {
			number := strconv.Itoa(first + i)
			msgs[i] = bus.Msg{
				Subject: b.Subjects().Event("custom." + strconv.Itoa((first+i)%3)), ID: number,
				Header: map[string][]string{"Number": {number}}, Body: body,
			}
		}
		require.NoError(t, b.PublishAll(t.Context(), msgs))
	}
}

// scanned reads all that cfg chooses and returns the sequences.
func scanned(t *testing.T, b *bus.Bus, cfg bus.ScanConfig) []uint64 {
	t.Helper()
	var seqs []uint64
	require.NoError(t, b.Scan(t.Context(), cfg, func(m *bus.Message) (bool, error) {
		seqs = append(seqs, m.Sequence)
		return true, nil
	}))
	return seqs
}

func TestScanChooses(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t)
	b := s.Connect(t, "test")
	require.Empty(t, scanned(t, b, bus.ScanConfig{Stream: eventsStream}))
	publishEvents(t, b, 12, []byte("body"))
	js, err := jetstream.New(s.Conn(t))
	require.NoError(t, err)
	stream, err := js.Stream(t.Context(), eventsStream)
	require.NoError(t, err)
	for _, seq := range []uint64{1, 4, 5, 6, 12} {
		require.NoError(t, stream.DeleteMsg(t.Context(), seq))
	}
	third, err := b.StoredMessage(t.Context(), eventsStream, 8)
	require.NoError(t, err)
	for _, tt := range []struct {
		name string
		cfg  bus.ScanConfig
		want []uint64
	}{
		{"all", bus.ScanConfig{}, []uint64{2, 3, 7, 8, 9, 10, 11}},
		{"subjects", bus.ScanConfig{Subjects: []string{"mlsdm.events.custom.0", "mlsdm.events.custom.1"}}, []uint64{3, 7, 9, 10}},
		{"wildcard", bus.ScanConfig{Subjects: []string{"mlsdm.events.*.2"}}, []uint64{2, 8, 11}},
		{"no such subject", bus.ScanConfig{Subjects: []string{"mlsdm.events.ci.degraded"}}, nil},
		{"from sequence", bus.ScanConfig{FromSequence: 9}, []uint64{9, 10, 11}},
		{"from deleted sequence", bus.ScanConfig{FromSequence: 4}, []uint64{7, 8, 9, 10, 11}},
		{"from the deleted end", bus.ScanConfig{FromSequence: 12}, nil},
		{"from beyond the end", bus.ScanConfig{FromSequence: 1000}, nil},
		{"from time", bus.ScanConfig{FromTime: third.Time}, []uint64{8, 9, 10, 11}},
		{"from the future", bus.ScanConfig{FromTime: time.Now().Add(time.Hour)}, nil},
		{"sequence before time", bus.ScanConfig{FromSequence: 11, FromTime: third.Time}, []uint64{11}},
	} {
		tt.cfg.Stream = eventsStream
		require.Equal(t, tt.want, scanned(t, b, tt.cfg), tt.name)
	}
	remain(t, s, eventsStream, 1) // the router's

	require.NoError(t, b.Scan(t.Context(), bus.ScanConfig{Stream: eventsStream, HeadersOnly: true}, func(m *bus.Message) (bool, error) {
		require.Empty(t, m.Body)
		require.Equal(t, []string{"4"}, m.Header["Nats-Msg-Size"])
		require.Equal(t, []string{strconv.FormatUint(m.Sequence, 10)}, m.Header["Number"])
		require.Equal(t, b.Subjects().Event("custom."+strconv.FormatUint(m.Sequence%3, 10)), m.Subject)
		require.WithinDuration(t, time.Now(), m.Time, time.Minute)
		require.Equal(t, eventsStream, m.Stream)
		return true, nil
	}))
}

func TestScanEnds(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t)
	b := s.Connect(t, "test")
	publishEvents(t, b, 10, nil)

	var seen int
	all := bus.ScanConfig{Stream: eventsStream}
	require.NoError(t, b.Scan(t.Context(), all, func(m *bus.Message) (bool, error) {
		seen++
		_, err := b.Publish(t.Context(), bus.Msg{Subject: b.Subjects().Event("custom.late")})
		return true, err
	}))
	require.Equal(t, 10, seen, "what came after the start is not read")

	seen = 0
	require.NoError(t, b.Scan(t.Context(), all, func(*bus.Message) (bool, error) { seen++; return seen < 3, nil }))
	require.Equal(t, 3, seen)
	own := events.Errorf(events.CodeUnavailable, "no more")
	require.Equal(t, error(own), b.Scan(t.Context(), all, func(*bus.Message) (bool, error) { return true, own }))

	ctx, cancel := context.WithCancel(t.Context())
	require.ErrorIs(t, b.Scan(ctx, all, func(*bus.Message) (bool, error) { cancel(); return true, nil }), context.Canceled)
	err := b.Scan(t.Context(), bus.ScanConfig{Stream: "NONE"}, nil)
	require.Equal(t, events.CodeFailedPrecondition, events.CodeOf(err))
	err = b.Scan(t.Context(), bus.ScanConfig{Stream: "MLSDM_REQUESTS"}, nil)
	require.ErrorContains(t, err, "work queue")
	all.Subjects = []string{"a", "a"}
	err = b.Scan(t.Context(), all, nil)
	require.Equal(t, events.CodeInvalidArgument, events.CodeOf(err))
	remain(t, s, eventsStream, 1) // the router's
}

// TestScanEndsWhenTheRestIsDeleted: the server has more on its way than it ever sends.
func TestScanEndsWhenTheRestIsDeleted(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t)
	b := s.Connect(t, "test")
	publishEvents(t, b, 4000, make([]byte, 4<<10))
	js, err := jetstream.New(s.Conn(t))
	require.NoError(t, err)
	stream, err := js.Stream(t.Context(), eventsStream)
	require.NoError(t, err)
	var seen int
	require.NoError(t, b.Scan(t.Context(), bus.ScanConfig{Stream: eventsStream}, func(*bus.Message) (bool, error) {
		seen++
		if seen == 1 {
			return true, stream.Purge(t.Context())
		}
		return true, nil
	}))
	require.Less(t, seen, 4000)
}

func TestScanOutlivesTheServer(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t)
	b := s.Connect(t, "test")
	const n = 6000
	publishEvents(t, b, n, make([]byte, 1<<10))
	next := uint64(1)
	require.NoError(t, b.Scan(t.Context(), bus.ScanConfig{Stream: eventsStream}, func(m *bus.Message) (bool, error) {
		if m.Sequence != next {
			return false, errors.New("a gap, or a repeat")
		}
		next++
		if m.Sequence == 500 || m.Sequence == 5000 {
			s.Restart(t)
		}
		return true, nil
	}))
	require.Equal(t, uint64(n+1), next)
}

func TestStoredMessage(t *testing.T) {
	t.Parallel()
	b := bustest.Start(t).ConnectTraced(t, "test", nil)
	publishEvents(t, b, 2, []byte("body"))
	m, err := b.StoredMessage(t.Context(), eventsStream, 2)
	require.NoError(t, err)
	require.WithinDuration(t, time.Now(), m.Time, time.Minute)
	require.Equal(t, &bus.Message{
		Subject: "mlsdm.events.custom.2", Header: map[string][]string{"Number": {"2"}, events.HeaderMsgID: {"2"}}, Body: []byte("body"),
		Stream: eventsStream, Sequence: 2, Time: m.Time,
	}, m)
	for _, seq := range []uint64{0, 3} {
		_, err = b.StoredMessage(t.Context(), eventsStream, seq)
		require.ErrorIs(t, err, bus.ErrNotFound)
	}
	_, err = b.StoredMessage(t.Context(), "NONE", 1)
	require.Error(t, err)
	require.NotErrorIs(t, err, bus.ErrNotFound)
}

func BenchmarkScan(b *testing.B) {
	conn := bustest.Start(b).Connect(b, "bench")
	const n = 100_000
	publishEvents(b, conn, n, make([]byte, 1<<10))
	for b.Loop() {
		var seen int
		require.NoError(b, conn.Scan(b.Context(), bus.ScanConfig{Stream: eventsStream, HeadersOnly: true}, func(*bus.Message) (bool, error) {
			seen++
			return true, nil
		}))
		require.Equal(b, n, seen)
	}
}
