package egress

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// pipe is a connection that knows whether it was closed.
type pipe struct {
	net.Conn
	closed bool
}

func (p *pipe) Close() error {
	p.closed = true
	return nil
}

// step is what one address does: after a while it connects, or fails. One that is deaf does not hear that it is too late.
type step struct {
	after time.Duration
	err   error
	deaf  bool
}

func TestRace(t *testing.T) {
	t.Parallel()
	refused, unreachable := errors.New("refused"), errors.New("unreachable")
	const never = time.Hour
	tests := []struct {
		name    string
		steps   []step
		winner  int // from 0; -1 is nobody
		err     error
		took    time.Duration
		started int
	}{
		{"the first is fast", []step{{after: 10 * time.Millisecond}, {}}, 0, nil, 10 * time.Millisecond, 1},
		{"only one", []step{{after: 10 * time.Millisecond}}, 0, nil, 10 * time.Millisecond, 1},
		{"the first fails at once", []step{{err: refused}, {after: 5 * time.Millisecond}, {}}, 1, nil, 5 * time.Millisecond, 2},
		{"the first hangs", []step{{after: never}, {after: 5 * time.Millisecond}, {}}, 1, nil, stagger + 5*time.Millisecond, 2},
		{"two hang", []step{{after: never}, {after: never}, {}}, 2, nil, 2 * stagger, 3},
		{"the first is slow and wins", []step{{after: stagger + 5*time.Millisecond}, {after: never}}, 0, nil, stagger + 5*time.Millisecond, 2},
		{"one that comes too late is closed", []step{{after: 2 * stagger, deaf: true}, {after: 5 * time.Millisecond}}, 1, nil, stagger + 5*time.Millisecond, 2},
		{"all fail", []step{{after: 10 * time.Millisecond, err: refused}, {err: unreachable}}, -1, refused, 10 * time.Millisecond, 2},
		{"all hang", []step{{after: never}, {after: never}}, -1, context.DeadlineExceeded, dialTimeout, 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), dialTimeout)
				defer cancel()
				conns := make([]*pipe, len(tt.steps))
				var started atomic.Int64
				var sockets []netip.AddrPort
				for i := range tt.steps {
					conns[i] = &pipe{}
					sockets = append(sockets, netip.AddrPortFrom(netip.AddrFrom4([4]byte{1, 1, 1, byte(i)}), 443))
				}
				start := time.Now()
				got, err := race(ctx, sockets, func(ctx context.Context, socket netip.AddrPort) (net.Conn, error) {
					started.Add(1)
					i := socket.Addr().As4()[3]
					s := tt.steps[i]
					done := ctx.Done()
					if s.deaf {
						done = nil
					}
					select {
					case <-time.After(s.after):
					case <-done:
						return nil, ctx.Err()
					}
					if s.err != nil {
						return nil, s.err
					}
					return conns[i], nil
				})
				require.Equal(t, tt.took, time.Since(start))
				require.ErrorIs(t, err, tt.err)
				require.EqualValues(t, tt.started, started.Load())
				<-time.After(never) // whatever was started ends
				synctest.Wait()
				for i, c := range conns {
					if i == tt.winner {
						require.Same(t, c, got)
					}
					require.Equal(t, tt.steps[i].deaf, c.closed)
				}
			})
		})
	}
}
