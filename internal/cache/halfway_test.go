package cache_test

import (
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/cache"
	"github.com/neuron7x/mlsdm-integrations/internal/cache/redistest"
)

// Redis stops in the middle of an answer, and says the rest much later. That is nobody's value by then.
func TestRedisThatStopsHalfway(t *testing.T) {
	t.Parallel()
	addr, name := redistest.Addr(t), space()
	_, writer, _ := replica(t, at(addr), name, cache.Options{})
	want := map[string]string{"a": strings.Repeat("a", 1<<20), "b": strings.Repeat("b", 1<<20)}
	for key, value := range want {
		set(t, writer, key, value)
	}
	way := newHalfway(t, addr)
	cfg := at(way.addr)
	cfg.RedisTimeout = time.Second
	c, n, log := replica(t, cfg, name, cache.Options{MaxBytes: 1}) // nothing stays in the process
	eventually(t, func() bool { return get(t, n, "a") == want["a"] && get(t, n, "b") == want["b"] }, "the way is open")

	for range 3 {
		before := log.says("redis fails")
		way.stop()
		eventually(t, func() bool {
			for key, value := range want {
				got := get(t, n, key)
				require.True(t, got == "" || got == value, "%s is %.20q", key, got)
			}
			return log.says("redis fails") > before
		}, "an answer is not whole")
		way.goOn()
		eventually(t, func() bool {
			whole := 0
			for key, value := range want {
				got := get(t, n, key)
				require.True(t, got == "" || got == value, "%s is %.20q", key, got)
				if got != "" {
					whole++
				}
			}
			return whole == len(want) && c.Check(t.Context()) == nil
		}, "it comes back")
	}
	require.Zero(t, n.Stats().Corrupt, "what was left of an answer was not even looked at")
}

// halfway stands between a client and a Redis, and can keep half of what Redis says to itself.
type halfway struct {
	addr string

	mu   sync.Mutex
	gate chan struct{} // closed while the way is open
}

func newHalfway(t *testing.T, redis string) *halfway {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	h := &halfway{addr: listener.Addr().String(), gate: make(chan struct{})}
	close(h.gate)
	var all sync.WaitGroup
	all.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return // the test has ended
			}
			server, err := new(net.Dialer).DialContext(t.Context(), "tcp", redis)
			if err != nil {
				_ = client.Close()
				continue
			}
			all.Go(func() { _, _ = io.Copy(server, client); _ = server.Close() })
			all.Go(func() { h.answer(client, server); _ = client.Close() })
		}
	})
	t.Cleanup(func() {
		require.NoError(t, listener.Close())
		select {
		case <-h.open():
		default: // the test has failed
			h.goOn()
		}
		all.Wait()
	})
	return h
}

// answer passes on what Redis says, half of it late when the way is not open.
func (h *halfway) answer(client io.Writer, server io.Reader) {
	buffer := make([]byte, 64<<10)
	for {
		size, err := server.Read(buffer)
		half := size / 2
		for _, part := range [][]byte{buffer[:half], buffer[half:size]} {
			if _, broken := client.Write(part); broken != nil {
				return
			}
			<-h.open()
		}
		if err != nil {
			return
		}
	}
}

func (h *halfway) open() chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.gate
}

func (h *halfway) stop() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.gate = make(chan struct{})
}

func (h *halfway) goOn() { close(h.open()) }
