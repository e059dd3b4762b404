package egress_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/egress"
)

// poster returns what posts for a client.
func poster(t *testing.T, client *http.Client) egress.Poster {
	t.Helper()
	p, ok := client.Transport.(egress.Poster)
	require.True(t, ok)
	return p
}

// deliver posts a text within half a minute and returns the body of the answer.
func deliver(ctx context.Context, by egress.Poster, p *egress.Post) (string, error) {
	p.Deadline = time.Now().Add(30 * time.Second)
	answer, err := by.Post(ctx, p)
	if err != nil {
		return "", err
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	return string(body), err
}

// Bodies of every size arrive whole, and the connection is used again.
func TestPost(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		_, _ = w.Write(body)
	}))
	t.Cleanup(server.Close)
	by := poster(t, local(t))
	for i, size := range []int{0, 1, 1000, 16<<10 - 200, 16 << 10, 17 << 10, 1 << 20} {
		body := strings.Repeat("x", size)
		p := &egress.Post{URL: mustURL(t, server.URL), Body: []byte(body)}
		got, err := deliver(t.Context(), by, p)
		require.NoError(t, err)
		require.Len(t, got, size)
		require.Equal(t, i == 0, p.Progress.Made.Connect > 0, "the first makes the connection")
		require.False(t, p.Progress.Wrote.Before(p.Progress.Connected))
		require.False(t, p.Progress.Answered.Before(p.Progress.Wrote))
	}
}

// A receiver that closes its connection after each answer without a word costs no post, however soon the next one comes.
func TestConnectionsThatAreClosedAtOnce(t *testing.T) {
	t.Parallel()
	address, connections := scripted(t, func(c net.Conn, r *bufio.Reader, _ int) {
		if readOne(r) {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		}
	})
	by := poster(t, local(t))
	for range 50 {
		body, err := deliver(t.Context(), by, &egress.Post{URL: mustURL(t, address), Body: []byte("hello")})
		require.NoError(t, err)
		require.Equal(t, "ok", body)
	}
	require.EqualValues(t, 50, connections.Load())
}

// once is a resolver that answers one time. Who asks after that is stopped.
type once struct {
	asked atomic.Bool
	stop  func()
}

func (o *once) LookupNetIP(ctx context.Context, _, _ string) ([]netip.Addr, error) {
	if o.asked.Swap(true) {
		o.stop()
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return addrs("127.0.0.1"), nil
}

// A post that is sent once more, and finds no connection, has not come far, whatever came of it before.
func TestProgressOfAPostThatIsRepeated(t *testing.T) {
	t.Parallel()
	address, _ := scripted(t, func(c net.Conn, r *bufio.Reader, _ int) {
		if readOne(r) {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		}
		readOne(r) // and say nothing
	})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	client := newGuard(t, egress.Policy{Networks: loopback(), Resolver: &once{stop: cancel}}).Client(egress.ClientOptions{})
	t.Cleanup(client.CloseIdleConnections)
	by, to := poster(t, client), mustURL(t, address)
	to.Host = "receiver.example:" + to.Port()
	_, err := deliver(ctx, by, &egress.Post{URL: to})
	require.NoError(t, err)
	p := &egress.Post{URL: to}
	_, err = by.Post(ctx, p) //nolint:bodyclose // there is no answer
	require.ErrorIs(t, err, context.Canceled)
	require.Zero(t, p.Progress)
}

// What follows an answer is not taken for the next one, also when the buffer ends exactly where the answer does.
func TestMoreThanAskedBehindTheBuffer(t *testing.T) {
	t.Parallel()
	const buffer = 4 << 10 // of the transport
	head := "HTTP/1.1 200 OK\r\nContent-Length: 4000\r\nX-Fill: "
	head += strings.Repeat("x", buffer-4000-len(head)-len("\r\n\r\n")) + "\r\n\r\n"
	answer := head + strings.Repeat("y", 4000) + "HTTP/1.1 500 Surprise\r\nContent-Length: 0\r\n\r\n"
	address, _ := scripted(t, func(c net.Conn, r *bufio.Reader, _ int) {
		for readOne(r) {
			if _, err := io.WriteString(c, answer); err != nil {
				return
			}
		}
	})
	by := poster(t, local(t))
	for range 20 {
		body, err := deliver(t.Context(), by, &egress.Post{URL: mustURL(t, address)})
		require.NoError(t, err)
		require.Equal(t, strings.Repeat("y", 4000), body)
	}
}

// The end of a context ends a post at once, whatever it waits for, with the context's own error.
func TestContextEndsAPost(t *testing.T) {
	t.Parallel()
	for name, begin := range map[string]string{"no answer": "", "half a head": "HTTP/1.1 200 OK\r\nX-A", "half a body": "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nbegin"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			hangs := make(chan struct{})
			var once sync.Once
			address, _ := scripted(t, func(c net.Conn, r *bufio.Reader, _ int) {
				if readOne(r) {
					_, _ = io.WriteString(c, begin)
					once.Do(func() { close(hangs) })
					readOne(r) // until the sender goes
				}
			})
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			go func() {
				<-hangs
				cancel()
			}()
			_, err := deliver(ctx, poster(t, local(t)), &egress.Post{URL: mustURL(t, address)})
			require.ErrorIs(t, err, context.Canceled)
		})
	}
}

// A context that has ended sends nothing.
func TestContextThatHasEnded(t *testing.T) {
	t.Parallel()
	listener, count := listen(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := deliver(ctx, poster(t, local(t)), &egress.Post{URL: mustURL(t, "http://"+listener.Addr().String())})
	require.ErrorIs(t, err, context.Canceled)
	require.Zero(t, count())
}

// The deadline ends a post while it connects, waits or reads, as that of a context does, and is not another's.
func TestDeadlineOfAPost(t *testing.T) {
	t.Parallel()
	for name, begin := range map[string]string{"no answer": "", "half a head": "HTTP/1.1 200 OK\r\nX-A", "half a body": "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nbegin"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			address, _ := scripted(t, func(c net.Conn, r *bufio.Reader, _ int) {
				for readOne(r) {
					_, _ = io.WriteString(c, begin)
				}
			})
			by := poster(t, local(t))
			p := &egress.Post{URL: mustURL(t, address), Deadline: time.Now().Add(100 * time.Millisecond)}
			answer, err := by.Post(t.Context(), p)
			if err == nil {
				_, err = io.ReadAll(answer.Body)
				require.NoError(t, answer.Body.Close())
			}
			require.ErrorIs(t, err, context.DeadlineExceeded)
			require.False(t, time.Now().Before(p.Deadline))
		})
	}
	t.Run("over before it began", func(t *testing.T) {
		t.Parallel()
		listener, count := listen(t)
		by := poster(t, local(t))
		_, err := by.Post(t.Context(), &egress.Post{ //nolint:bodyclose // there is no answer
			URL: mustURL(t, "http://"+listener.Addr().String()), Deadline: time.Now().Add(-time.Second),
		})
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Zero(t, count())
	})
	t.Run("that of the context is earlier", func(t *testing.T) {
		t.Parallel()
		address, _ := scripted(t, func(_ net.Conn, r *bufio.Reader, _ int) {
			for readOne(r) { // and say nothing
				continue
			}
		})
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		_, err := deliver(ctx, poster(t, local(t)), &egress.Post{URL: mustURL(t, address)})
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Error(t, ctx.Err(), "who looks at the context finds the same")
	})
}

// A post keeps what the Guard promises: it goes nowhere that is not allowed, and follows no redirect.
func TestPostIsGuarded(t *testing.T) {
	t.Parallel()
	by := poster(t, newGuard(t, egress.Policy{Resolver: answers("10.0.0.1")}).Client(egress.ClientOptions{}))
	for _, address := range []string{"https://127.0.0.1", "https://inner.example", "https://169.254.169.254/latest", "http://93.184.216.34"} {
		_, err := deliver(t.Context(), by, &egress.Post{URL: mustURL(t, address)})
		require.ErrorIs(t, err, egress.ErrBlocked, address)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/" {
			t.Error("it was followed")
		}
		http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
	}))
	t.Cleanup(server.Close)
	p := &egress.Post{URL: mustURL(t, server.URL+"/"), Deadline: time.Now().Add(30 * time.Second)}
	answer, err := poster(t, local(t)).Post(t.Context(), p)
	require.NoError(t, err)
	require.Equal(t, http.StatusTemporaryRedirect, answer.StatusCode)
	require.NoError(t, answer.Body.Close())
}

// A post that cannot be made is refused before anybody is spoken to.
func TestPostThatIsRefused(t *testing.T) {
	t.Parallel()
	listener, count := listen(t)
	_, err := deliver(t.Context(), poster(t, local(t)), &egress.Post{
		URL: mustURL(t, "http://"+listener.Addr().String()), Header: []egress.Field{{Name: "X-A", Value: "a\r\nb"}},
	})
	var refused *egress.RequestError
	require.ErrorAs(t, err, &refused)
	require.Zero(t, count())
}

// Many at once share the connections and the buffers without taking each other's bytes.
func TestManyPostsAtOnce(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		_, _ = io.WriteString(w, r.URL.Path+r.Header.Get("X-A")+string(body))
	}))
	t.Cleanup(server.Close)
	by := poster(t, local(t))
	base := mustURL(t, server.URL)
	var sending sync.WaitGroup
	for i := range 16 {
		sending.Go(func() {
			for j := range 50 {
				mark := strings.Repeat("a", i+1) + strings.Repeat("b", j)
				u := *base
				u.Path = "/" + mark
				got, err := deliver(t.Context(), by, &egress.Post{URL: &u, Header: []egress.Field{{Name: "X-A", Value: mark}}, Body: []byte(mark)})
				if err != nil || got != "/"+mark+mark+mark {
					t.Errorf("%s: %q %v", mark, got, err)
				}
			}
		})
	}
	sending.Wait()
}
