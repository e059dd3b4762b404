package egress_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/egress"
)

// scripted is a receiver that does with each connection, counted from 1, as it is told.
func scripted(t *testing.T, serve func(c net.Conn, r *bufio.Reader, n int)) (address string, connections *atomic.Int64) {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp4", "127.0.0.1:0")
	require.NoError(t, err)
	connections = new(atomic.Int64)
	var open sync.WaitGroup
	open.Go(func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			n := int(connections.Add(1))
			open.Go(func() {
				defer func() { _ = c.Close() }()
				serve(c, bufio.NewReader(c), n)
			})
		}
	})
	t.Cleanup(func() {
		require.NoError(t, listener.Close())
		open.Wait()
	})
	return "http://" + listener.Addr().String(), connections
}

// readOne reads a request, and reports whether there was one.
func readOne(r *bufio.Reader) bool {
	request, err := http.ReadRequest(r)
	if err != nil {
		return false
	}
	_, err = io.Copy(io.Discard, request.Body)
	return err == nil
}

// send posts a text and returns the status and the body of the answer.
func send(t *testing.T, client *http.Client, address string) (int, string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader("hello"))
	require.NoError(t, err)
	answer, err := client.Transport.RoundTrip(request)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	return answer.StatusCode, string(body), err
}

func local(t *testing.T) *http.Client {
	t.Helper()
	networks, err := egress.ParseNetworks([]string{"127.0.0.0/8"})
	require.NoError(t, err)
	guard, err := egress.NewGuard(egress.Policy{Networks: networks})
	require.NoError(t, err)
	client := guard.Client(egress.ClientOptions{MaxIdle: 4})
	t.Cleanup(client.CloseIdleConnections)
	return client
}

// A connection is used again exactly when the answer before was read to its end and nothing follows it.
func TestConnectionsAreUsedAgain(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		answer string
		body   string
		again  bool
	}{
		"with a length":     {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "ok", true},
		"without a body":    {"HTTP/1.1 204 No Content\r\n\r\n", "", true},
		"empty":             {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "", true},
		"chunked":           {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", "ok", true},
		"after 1xx":         {"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "ok", true},
		"closing":           {"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", "ok", false},
		"HTTP/1.0":          {"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", "ok", false},
		"more than asked":   {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 500 Surprise\r\nContent-Length: 0\r\n\r\n", "ok", false},
		"another's answers": {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" + strings.Repeat("x", 10_000), "ok", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			address, connections := scripted(t, func(c net.Conn, r *bufio.Reader, _ int) {
				for readOne(r) {
					if _, err := io.WriteString(c, tt.answer); err != nil {
						return
					}
				}
			})
			client := local(t)
			for range 3 {
				status, body, err := send(t, client, address)
				require.NoError(t, err)
				require.Less(t, status, 300)
				require.Equal(t, tt.body, body)
			}
			want := int64(3)
			if tt.again {
				want = 1
			}
			require.Equal(t, want, connections.Load())
		})
	}
}

// A connection that was kept open and is closed is replaced; a new one that brings nothing is a failure.
func TestConnectionsThatAreClosed(t *testing.T) {
	t.Parallel()
	address, connections := scripted(t, func(c net.Conn, r *bufio.Reader, n int) {
		if !readOne(r) {
			return
		}
		if n < 3 {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		}
		if n == 1 {
			readOne(r) // the second request is read and has no answer
		}
	})
	client := local(t)
	for range 2 {
		_, body, err := send(t, client, address)
		require.NoError(t, err)
		require.Equal(t, "ok", body)
	}
	require.Equal(t, int64(2), connections.Load())
	_, _, err := send(t, client, address)
	require.Error(t, err)
	require.Equal(t, int64(3), connections.Load(), "and is not tried again")
}

// A body that is not read to its end takes its connection with it, and so does one that ends too soon.
func TestBodiesThatAreNotRead(t *testing.T) {
	t.Parallel()
	address, connections := scripted(t, func(c net.Conn, r *bufio.Reader, _ int) {
		for readOne(r) {
			if _, err := io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"+strings.Repeat("x", 100_000)); err != nil {
				return
			}
		}
	})
	client := local(t)
	for range 2 {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, strings.NewReader("hello"))
		require.NoError(t, err)
		answer, err := client.Transport.RoundTrip(request)
		require.NoError(t, err)
		_, err = io.ReadFull(answer.Body, make([]byte, 10))
		require.NoError(t, err)
		require.NoError(t, answer.Body.Close())
		n, err := answer.Body.Read(make([]byte, 1))
		require.Zero(t, n)
		require.ErrorIs(t, err, io.EOF)
	}
	require.Equal(t, int64(2), connections.Load())

	short, _ := scripted(t, func(c net.Conn, r *bufio.Reader, _ int) {
		if readOne(r) {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nok")
		}
	})
	_, body, err := send(t, client, short)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	require.Equal(t, "ok", body)
}

// A receiver that has seen enough may say so before it has read everything.
func TestAnswerBeforeTheEnd(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusRequestEntityTooLarge) }))
	t.Cleanup(server.Close)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL, strings.NewReader(strings.Repeat("x", 64<<20)))
	require.NoError(t, err)
	answer, err := local(t).Transport.RoundTrip(request)
	if err == nil { // the reset may reach us before the answer does
		require.Equal(t, http.StatusRequestEntityTooLarge, answer.StatusCode)
		require.NoError(t, answer.Body.Close())
	}
}

// The end of a request's context ends it at once, whatever it waits for, and spoils no other request.
func TestContextEndsARequest(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/hang" {
			<-release
		}
	}))
	t.Cleanup(server.Close)
	t.Cleanup(func() { close(release) })
	client := local(t)
	for range 20 {
		_, _, err := send(t, client, server.URL)
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, server.URL+"/hang", strings.NewReader("hello"))
		require.NoError(t, err)
		go cancel()
		_, err = client.Transport.RoundTrip(request) //nolint:bodyclose // there is no answer
		require.ErrorIs(t, err, context.Canceled)
	}
}

// Many at once share the connections without taking each other's answers.
func TestManyRequestsAtOnce(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.URL.Path)
	}))
	t.Cleanup(server.Close)
	client := local(t)
	var sending sync.WaitGroup
	for i := range 16 {
		sending.Go(func() {
			for j := range 100 {
				path := "/" + strings.Repeat("a", i) + strings.Repeat("b", j)
				status, body, err := send(t, client, server.URL+path)
				if err != nil || status != http.StatusOK || body != path {
					t.Errorf("%s: %d %q %v", path, status, body, err)
				}
			}
		})
	}
	sending.Wait()
}
