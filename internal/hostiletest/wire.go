package hostiletest

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// A bomb is made of members, as a stream of gzip may be (RFC 1952, 2.2).
const (
	members    = 64
	memberSize = 16 << 20 // bytes, inflated; blanks, which JSON may begin with
)

// newBomb returns one member.
func newBomb(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.BestSpeed)
	require.NoError(t, err)
	blanks := bytes.Repeat([]byte(" "), 1<<20)
	for range memberSize / len(blanks) {
		_, err = w.Write(blanks)
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	require.Less(t, b.Len()*members, 8<<20)
	return b.Bytes()
}

// wire is a server that is no more than what it writes.
type wire struct {
	url     string
	written atomic.Int64 // the most that one connection took, in bytes
}

// serve has a server answer every request with start and then, if there is any, with more of rest, without end.
func serve(t *testing.T, start, rest string) *wire {
	t.Helper()
	w := &wire{}
	w.url = "http://" + accept(t, func(c net.Conn) {
		if _, err := http.ReadRequest(bufio.NewReader(c)); err != nil {
			return
		}
		total := int64(0)
		for next := start; next != ""; next = rest {
			n, err := c.Write([]byte(next))
			if total += int64(n); total > w.written.Load() {
				w.written.Store(total)
			}
			if err != nil {
				return
			}
		}
	})
	return w
}

// accept hands every connection to a function, and closes it then; and all of them when the test ends.
func accept(t *testing.T, handle func(net.Conn)) string {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			if tcp, ok := c.(*net.TCPConn); ok {
				_ = tcp.SetWriteBuffer(64 << 10) // else more stands in the system than a client may read
			}
			stop := context.AfterFunc(ctx, func() { _ = c.Close() }) // ends whoever reads or writes; a second close is no harm
			all.Go(func() {
				defer stop()
				defer func() { _ = c.Close() }()
				handle(c)
			})
		}
	})
	t.Cleanup(func() {
		cancel()
		_ = listener.Close()
		all.Wait()
	})
	return listener.Addr().String()
}

// head is the beginning of an answer, with some more of its header.
func (c Client) head(more string) string {
	return "HTTP/1.1 200 OK\r\nContent-Type: " + c.ContentType + "\r\n" + more
}

// length has answers whose length is not what they say.
func (c Client) length(t *testing.T) {
	for name, answer := range map[string]string{
		"ends before":     "Content-Length: 100\r\n\r\n{}",
		"is negative":     "Content-Length: -1\r\n\r\n{}",
		"is no number":    "Content-Length: 0x7f\r\n\r\n{}",
		"is said twice":   "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
		"has no end":      "Content-Length: 99999999999999999999999999\r\n\r\n{}",
		"a chunk is huge": "Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n{}",
		"a chunk is none": "Transfer-Encoding: chunked\r\n\r\n-5\r\n{}",
	} {
		t.Run(name, func(t *testing.T) {
			c.judge(t, c.ask(t, serve(t, c.head(answer), "").url))
		})
	}
}

// endless has answers that do not end, in each of their parts.
func (c Client) endless(t *testing.T) {
	filler := strings.Repeat(" ", 64<<10)
	for name, tt := range map[string]struct {
		start, rest string
		most        int64
		inHeader    bool
	}{
		"until it closes":     {start: c.head("\r\n"), rest: filler, most: c.Most},
		"of a petabyte":       {start: c.head("Content-Length: 1125899906842624\r\n\r\n"), rest: filler, most: c.Most},
		"in chunks":           {start: c.head("Transfer-Encoding: chunked\r\n\r\n"), rest: "10000\r\n" + filler + "\r\n", most: c.Most},
		"in its header":       {start: c.head(""), rest: "X-Long: " + strings.Repeat("x", 1000) + "\r\n", inHeader: true},
		"in a line of it":     {start: c.head("X-Long: "), rest: filler, inHeader: true},
		"in its first line":   {start: "HTTP/1.1 200 ", rest: filler, inHeader: true},
		"before it begins":    {start: "HTTP/1.1 103 Early Hints\r\n\r\n", rest: "HTTP/1.1 103 Early Hints\r\n\r\n", inHeader: true},
		"behind its last one": {start: c.head("Transfer-Encoding: chunked\r\n\r\n1\r\n \r\n0\r\n"), rest: "X-Long: " + strings.Repeat("x", 1000) + "\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			server := serve(t, tt.start, tt.rest)
			err := c.ask(t, server.url)
			if tt.inHeader {
				require.Error(t, err)
			} else {
				c.judge(t, err)
			}
			require.Less(t, server.written.Load(), tt.most+slack)
		})
	}
}

// silence takes a request and says nothing, or not enough, until the caller has no more time.
func (c Client) silence(t *testing.T) {
	for name, says := range map[string]string{"nothing": "", "half a header": "HTTP/1.1 200 OK\r\nContent-", "half a body": c.head("Content-Length: 100\r\n\r\n{")} {
		t.Run(name, func(t *testing.T) {
			over := make(chan struct{})
			addr := accept(t, func(conn net.Conn) {
				if _, err := conn.Write([]byte(says)); err == nil {
					<-over
				}
			})
			defer close(over)
			ctx, cancel := context.WithTimeout(t.Context(), impatient)
			defer cancel()
			ended := make(chan error, 1)
			go func() { ended <- c.Ask(ctx, "http://"+addr) }()
			late, stop := context.WithTimeout(t.Context(), patience)
			defer stop()
			select {
			case err := <-ended:
				if name != "half a body" || !c.Start {
					require.Error(t, err)
				}
			case <-late.Done():
				require.Fail(t, "it does not end with its context")
			}
		})
	}
}

// RunTLS runs the row about TLS alone: the server knows nothing newer than TLS 1.1.
func (c Client) RunTLS(t *testing.T) {
	t.Helper()
	type seen struct {
		offered []uint16
		err     error
	}
	hellos := make(chan seen, 64)
	addr := accept(t, func(conn net.Conn) {
		var s seen
		s.err = tls.Server(conn, &tls.Config{
			MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11,
			GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
				s.offered = hello.SupportedVersions
				return nil, nil //nolint:nilnil // the configuration stays as it is
			},
		}).HandshakeContext(t.Context())
		hellos <- s
	})
	require.Error(t, c.ask(t, "https://"+addr))
	s := <-hellos
	require.ErrorContains(t, s.err, "unsupported versions")
	require.NotEmpty(t, s.offered)
	for _, version := range s.offered {
		require.GreaterOrEqual(t, version, uint16(tls.VersionTLS12), tls.VersionName(version))
	}
}
