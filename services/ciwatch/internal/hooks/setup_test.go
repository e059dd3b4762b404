package hooks_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/fakegithub"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge/github"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/hooks"
)

const (
	path = "/github/webhooks"
	key  = "It's a Secret to Everybody"
	// patience is how long is waited for what must happen, on the slowest machine.
	patience = 30 * time.Second
	// run is a webhook of a run that has failed.
	run = `{"action":"completed","repository":{"id":9,"full_name":"o/r"},"workflow_run":` +
		`{"id":1,"workflow_id":2,"head_branch":"main","status":"completed","conclusion":"failure"}}`
)

// fromGitHub is the source of GitHub's webhooks that are signed with one of some secrets.
func fromGitHub(secrets ...secret.Value) hooks.Source {
	return hooks.Source{
		Forge: "github", Credential: github.HeaderSignature, Delivery: []string{github.HeaderDelivery}, Event: github.HeaderEvent,
		Events: []string{"workflow_run", "workflow_job", "check_run", "check_suite"}, Ping: "ping",
		Verify: func(h http.Header, body []byte) bool {
			return github.Verify(secrets, h.Get(github.HeaderSignature), body)
		},
		Read: github.Sightings,
	}
}

// stage is a door that is open, and what comes in by it.
type stage struct {
	door    *hooks.Door
	addr    string
	metrics *prometheus.Registry
	client  *http.Client
	end     context.CancelFunc
	ended   chan error

	mu      sync.Mutex
	stored  map[string]forge.Sighting
	repeats int
}

// open opens a door.
func open(t testing.TB, edit func(*hooks.Config)) *stage {
	t.Helper()
	s := &stage{stored: map[string]forge.Sighting{}, metrics: prometheus.NewRegistry(), ended: make(chan error, 1)}
	source := fromGitHub(secret.NewValue(key))
	cfg := hooks.Config{Addr: "127.0.0.1:0", Sources: map[string]hooks.Source{path: source, "/acme/webhooks": source}, Publish: s.publish, Metrics: s.metrics}
	if edit != nil {
		edit(&cfg)
	}
	var err error
	s.door, err = hooks.New(cfg)
	require.NoError(t, err)
	addr, err := s.door.Listen(t.Context())
	require.NoError(t, err)
	s.addr = addr.String()
	s.client = &http.Client{Timeout: patience, Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	ctx, end := context.WithCancel(context.Background())
	s.end = end
	go func() { s.ended <- s.door.Run(ctx) }()
	t.Cleanup(func() {
		s.client.CloseIdleConnections()
		end()
		select {
		case err := <-s.ended:
			require.NoError(t, err)
		case <-time.After(patience):
			require.Fail(t, "the door does not shut")
		}
	})
	return s
}

// publish stores as a stream does: one id once.
func (s *stage) publish(_ context.Context, id string, sighting forge.Sighting) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.stored[id]; ok {
		s.repeats++
		return nil
	}
	s.stored[id] = sighting
	return nil
}

// count is how many sightings are stored.
func (s *stage) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.stored)
}

// outcomes are the counts of mlsdm_ci_webhooks_total, by event and outcome.
func (s *stage) outcomes(t testing.TB) map[string]int {
	t.Helper()
	families, err := s.metrics.Gather()
	require.NoError(t, err)
	counts := map[string]int{}
	for _, family := range families {
		if family.GetName() != "mlsdm_ci_webhooks_total" {
			continue
		}
		for _, metric := range family.GetMetric() {
			var name []string
			for _, label := range metric.GetLabel() {
				if label.GetName() != "forge" {
					name = append(name, label.GetValue())
				}
			}
			counts[strings.Join(name, " ")] += int(metric.GetCounter().GetValue())
		}
	}
	return counts
}

// signed returns the headers of a delivery of GitHub's.
func signed(event, delivery, body string) http.Header {
	return fakegithub.Sign(event, delivery, key, []byte(body))
}

// reply is what the door answered.
type reply struct {
	status int
	header http.Header
	body   string
	close  bool
}

// post sends one request.
func (s *stage) post(t testing.TB, header http.Header, body string) reply {
	t.Helper()
	got, err := s.send(t.Context(), http.MethodPost, path, header, strings.NewReader(body))
	require.NoError(t, err)
	return got
}

// send sends a request of any kind.
func (s *stage) send(ctx context.Context, method, path string, header http.Header, body io.Reader) (reply, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://"+s.addr+path, body)
	if err != nil {
		return reply{}, err
	}
	req.Header = header
	resp, err := s.client.Do(req)
	if err != nil {
		return reply{}, err
	}
	defer resp.Body.Close()
	return read(resp)
}

func read(resp *http.Response) (reply, error) {
	body, err := io.ReadAll(resp.Body)
	return reply{resp.StatusCode, resp.Header, string(body), resp.Close}, err
}

// wire is a connection on which bytes are written as they are.
type wire struct {
	net.Conn

	reader *bufio.Reader
}

// dial opens a connection.
func (s *stage) dial(t testing.TB) *wire {
	t.Helper()
	var dialer net.Dialer
	conn, err := dialer.DialContext(t.Context(), "tcp", s.addr)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	require.NoError(t, conn.SetDeadline(time.Now().Add(patience)))
	return &wire{conn, bufio.NewReader(conn)}
}

// say writes.
func (w *wire) say(t testing.TB, text string) {
	t.Helper()
	_, err := io.WriteString(w, text)
	require.NoError(t, err)
}

// hear reads one answer.
func (w *wire) hear(t testing.TB) reply {
	t.Helper()
	resp, err := http.ReadResponse(w.reader, nil)
	require.NoError(t, err)
	defer resp.Body.Close()
	got, err := read(resp)
	require.NoError(t, err)
	return got
}

// requireClosed waits until the other side closes the connection, which it may say before.
func (w *wire) requireClosed(t testing.TB) {
	t.Helper()
	said, err := io.ReadAll(w.reader)
	var timeout net.Error
	require.False(t, errors.As(err, &timeout) && timeout.Timeout(), "the connection is left open")
	if len(said) > 0 {
		require.Contains(t, string(said), "HTTP/1.1 4")
	}
}

// head is the head of a request as it stands on the wire.
func head(header http.Header, length int) string {
	var text strings.Builder
	fmt.Fprintf(&text, "POST %s HTTP/1.1\r\nHost: door\r\n", path)
	if length >= 0 {
		fmt.Fprintf(&text, "Content-Length: %d\r\n", length)
	} else {
		text.WriteString("Transfer-Encoding: chunked\r\n")
	}
	if err := header.Write(&text); err != nil {
		panic(err)
	}
	return text.String() + "\r\n"
}

// eventually waits until something is so.
func eventually(t testing.TB, what string, so func() bool) {
	t.Helper()
	require.Eventually(t, so, patience, 2*time.Millisecond, what)
}
