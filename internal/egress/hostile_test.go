package egress_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/egress"
	"github.com/neuron7x/mlsdm-integrations/internal/egress/egresstest"
)

// scriptedTLS is [scripted] over TLS, with a client that trusts it.
func scriptedTLS(t *testing.T, serve func(c net.Conn, r *bufio.Reader, n int)) (*http.Client, string, func() int64) {
	t.Helper()
	ca := egresstest.NewAuthority(t)
	config := &tls.Config{
		Certificates: []tls.Certificate{ca.Issue(t, "receiver.example", time.Now().Add(time.Hour))}, MinVersion: tls.VersionTLS12,
		DynamicRecordSizingDisabled: true,
	}
	address, connections := scripted(t, func(c net.Conn, _ *bufio.Reader, n int) {
		secured := tls.Server(c, config)
		if secured.HandshakeContext(context.WithoutCancel(t.Context())) == nil {
			serve(secured, bufio.NewReader(secured), n)
		}
	})
	client := newGuard(t, egress.Policy{Networks: loopback()}).Client(egress.ClientOptions{
		MaxIdle: 4, TLS: &tls.Config{RootCAs: ca.Pool(), ServerName: "receiver.example", MinVersion: tls.VersionTLS12},
	})
	t.Cleanup(client.CloseIdleConnections)
	return client, strings.Replace(address, "http:", "https:", 1), connections.Load
}

// The deadline of a request that is over says nothing of its connection.
func TestConnectionsOutliveTheirDeadlines(t *testing.T) {
	t.Parallel()
	address, connections := scripted(t, func(c net.Conn, r *bufio.Reader, _ int) {
		for readOne(r) {
			if _, err := io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"); err != nil {
				return
			}
		}
	})
	client := local(t)
	for range 3 {
		ctx, cancel := context.WithTimeout(t.Context(), 600*time.Millisecond)
		defer cancel()
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader("hello"))
		require.NoError(t, err)
		answer, err := client.Transport.RoundTrip(request)
		require.NoError(t, err)
		require.NoError(t, answer.Body.Close())
		<-ctx.Done()
	}
	require.Equal(t, int64(1), connections.Load())
}

// What follows an answer is not taken for the next one, wherever in the layers of TLS it waits.
func TestMoreThanAskedOverTLS(t *testing.T) {
	t.Parallel()
	const buffer = 4 << 10 // of the transport
	client, address, connections := scriptedTLS(t, func(c net.Conn, r *bufio.Reader, _ int) {
		for readOne(r) {
			head := fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", buffer)
			head = fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", 2*buffer-len(head))
			answer := head + strings.Repeat("x", 2*buffer-len(head)) + "HTTP/1.1 500 Surprise\r\nContent-Length: 0\r\n\r\n"
			if _, err := io.WriteString(c, answer); err != nil {
				return
			}
		}
	})
	for range 3 {
		status, _, err := send(t, client, address)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, status)
	}
	require.Equal(t, int64(3), connections())
}

func TestConnectionsAreUsedAgainOverTLS(t *testing.T) {
	t.Parallel()
	client, address, connections := scriptedTLS(t, func(c net.Conn, r *bufio.Reader, _ int) {
		for readOne(r) {
			if _, err := io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"); err != nil {
				return
			}
		}
	})
	for range 5 {
		_, body, err := send(t, client, address)
		require.NoError(t, err)
		require.Equal(t, "ok", body)
	}
	require.Equal(t, int64(1), connections())
}

// A receiver that reads nothing cannot keep the caller beyond the end of its context, not with the farewell of TLS either.
func TestReceiverThatDoesNotReadOverTLS(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	client, address, _ := scriptedTLS(t, func(net.Conn, *bufio.Reader, int) { <-release })
	defer close(release)
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(strings.Repeat("x", 32<<20)))
	require.NoError(t, err)
	start := time.Now()
	_, err = client.Transport.RoundTrip(request) //nolint:bodyclose // there is no answer
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Less(t, time.Since(start), 4*time.Second)
}

// Why a body could not be written is not lost: the receiver closed, which is its affair and not that of an answer.
func TestWhyABodyIsNotWritten(t *testing.T) {
	t.Parallel()
	address, _ := scripted(t, func(net.Conn, *bufio.Reader, int) {})
	_, err := local(t).Post(address, "text/plain", strings.NewReader(strings.Repeat("x", 32<<20))) //nolint:bodyclose,noctx // there is no answer
	require.True(t, isEither(err, syscall.ECONNRESET, syscall.EPIPE), err)
}

// No answer 1xx is the last word, whatever it says of the connection.
func TestInformationalAnswersAreNotTheAnswer(t *testing.T) {
	t.Parallel()
	for _, informational := range []string{"HTTP/1.1 103 Early Hints\r\nConnection: close\r\n\r\n", "HTTP/1.0 100 Continue\r\n\r\n"} {
		address, _ := scripted(t, func(c net.Conn, r *bufio.Reader, _ int) {
			if readOne(r) {
				_, _ = io.WriteString(c, informational+"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
			}
		})
		status, body, err := send(t, local(t), address)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, status)
		require.Equal(t, "ok", body)
	}
}

// A request without a body is repeated on a new connection, too, and none is changed.
func TestRepeatedRequests(t *testing.T) {
	t.Parallel()
	address, connections := scripted(t, func(c net.Conn, r *bufio.Reader, n int) {
		if readOne(r) {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		}
		if n%2 == 1 {
			readOne(r)
		}
	})
	for _, body := range []io.Reader{nil, strings.NewReader("hello")} {
		client := local(t)
		for range 2 {
			request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, body)
			require.NoError(t, err)
			was := request.Body
			answer, err := client.Transport.RoundTrip(request)
			require.NoError(t, err)
			require.NoError(t, answer.Body.Close())
			require.Equal(t, was, request.Body)
		}
	}
	require.Equal(t, int64(4), connections.Load())
}
