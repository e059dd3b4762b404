// Package redistest gives tests a Redis, a real one wherever that is possible.
//
// It is the one at REDIS_ADDR; or else a redis-server of the test's own, if that program is there; or else one in a container, if a
// Docker engine answers. One of them there has to be on CI (CI=true). On the machine of somebody who has just come, it is miniredis at
// last, and the test says so. What only a server of its own can show, such as a Redis that stands still, is then not shown.
package redistest

import (
	"context"
	"errors"
	"net"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"github.com/stretchr/testify/require"
)

// patience is how long a server may take to start, to end, or to notice something, on a slow and busy machine.
const patience = 30 * time.Second

// Addr returns the address (host:port) of a Redis that the test may share with others: it keeps to keys of its own.
func Addr(tb testing.TB) string {
	tb.Helper()
	chosen, err := thisMachine(tb.Context()).choose(tb, given, program, container, pretended)
	require.NoError(tb, err)
	if s := run(tb, chosen, arguments(nil)); s != nil {
		return s.Addr
	}
	if chosen == given {
		return os.Getenv("REDIS_ADDR")
	}
	return pretend(tb)
}

// pretend starts a miniredis, whose clock stands still unless somebody turns it.
func pretend(tb testing.TB) string {
	tb.Helper()
	const step = 20 * time.Millisecond
	server := miniredis.RunT(tb)
	ctx, stop := context.WithCancel(context.WithoutCancel(tb.Context()))
	var turning sync.WaitGroup
	tb.Cleanup(func() { stop(); turning.Wait() })
	turning.Go(func() {
		tick := time.NewTicker(step)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				server.FastForward(step)
			}
		}
	})
	return server.Addr()
}

// FreeAddr returns an address on loopback that nobody listens at. Its port and the one of the bus of a Cluster, 10000 above, are below 65536.
func FreeAddr(tb testing.TB) string {
	tb.Helper()
	for range 1000 {
		listener, err := new(net.ListenConfig).Listen(tb.Context(), "tcp", "127.0.0.1:0")
		require.NoError(tb, err)
		addr := listener.Addr().String()
		require.NoError(tb, listener.Close())
		if Port(tb, addr) < 55000 {
			return addr
		}
	}
	tb.Fatal("there is no free port below 55000")
	return ""
}

// Port returns the port of an address.
func Port(tb testing.TB, addr string) int {
	tb.Helper()
	_, text, err := net.SplitHostPort(addr)
	require.NoError(tb, err)
	port, err := strconv.Atoi(text)
	require.NoError(tb, err)
	return port
}

// Client returns a plain client of the Redis at addr.
func Client(tb testing.TB, addr string) *redis.Client {
	tb.Helper()
	logging.Disable()
	client := redis.NewClient(&redis.Options{Addr: addr, Protocol: 2, DialTimeout: patience, ReadTimeout: patience, WriteTimeout: patience})
	tb.Cleanup(func() {
		if err := client.Close(); err != nil && !errors.Is(err, redis.ErrClosed) { // a test may have closed it
			tb.Errorf("closing a client of Redis: %v", err)
		}
	})
	return client
}
