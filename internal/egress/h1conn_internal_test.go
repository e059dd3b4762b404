package egress

import (
	"context"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// What the receiver says although nothing was asked is not taken for the next answer, however soon after the last one.
func TestIdleConnectionThatTalks(t *testing.T) {
	t.Parallel()
	for name, say := range map[string]func(net.Conn) error{
		"says more": func(c net.Conn) error {
			_, err := io.WriteString(c, "\r\n")
			return err
		},
		"closes": net.Conn.Close,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp4", "127.0.0.1:0")
			require.NoError(t, err)
			defer func() { require.NoError(t, listener.Close()) }()
			ours, err := new(net.Dialer).DialContext(t.Context(), "tcp4", listener.Addr().String())
			require.NoError(t, err)
			theirs, err := listener.Accept()
			require.NoError(t, err)
			defer func() { _ = theirs.Close() }()
			p := pool{perKey: 1, total: 1}
			t.Cleanup(p.closeAll)
			c := newH1conn(ours, route{host: "receiver"})
			p.put(c)
			require.Same(t, c, p.get(c.to))
			require.NoError(t, say(theirs))
			require.Eventually(t, func() bool { return c.control.Control(c.peek) == nil && !c.quiet }, 30*time.Second, time.Millisecond)
			p.put(c)
			require.Nil(t, p.get(c.to))
		})
	}
}

// cutOff is a connection during whose first write the context of the exchange ends.
type cutOff struct {
	net.Conn
	end   func()
	reads int
}

func (c *cutOff) Write([]byte) (int, error) {
	c.end()
	return 0, os.ErrDeadlineExceeded
}

func (c *cutOff) Read([]byte) (int, error) {
	c.reads++
	return 0, os.ErrDeadlineExceeded
}

func (*cutOff) SetDeadline(time.Time) error     { return nil }
func (*cutOff) SetReadDeadline(time.Time) error { return nil }

// A write that the end of the context cut off is the end: there is no wait for an answer that may have come before.
func TestContextEndsAWrite(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	c := &cutOff{end: cancel}
	to := route{host: "receiver"}
	one := &call{ctx: ctx, to: to, message: &posted{text: []byte("hello")}, watch: new(Progress)}
	_, _, err := new(transport).exchange(one, newH1conn(c, to)) //nolint:bodyclose // there is no answer
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	require.Zero(t, c.reads)
}
