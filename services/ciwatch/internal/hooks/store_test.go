package hooks_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/fakegithub"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/hooks"
)

func TestStoresThatFail(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer // written by one request after the other
	fails := true
	s := open(t, func(c *hooks.Config) {
		publish := c.Publish
		c.Logger = slog.New(slog.NewTextHandler(&log, nil))
		c.Publish = func(ctx context.Context, id string, sighting forge.Sighting) error {
			if fails {
				return errors.New("no room in the stream")
			}
			return publish(ctx, id, sighting)
		}
	})
	require.NoError(t, s.door.Check(t.Context()))
	for n := range 3 {
		got := s.post(t, signed("workflow_run", strconv.Itoa(n), run), run)
		require.Equal(t, 503, got.status)
		require.Equal(t, "10", got.header.Get("Retry-After"))
		require.NotContains(t, got.body, "stream")
	}
	require.ErrorContains(t, s.door.Check(t.Context()), "no room in the stream")
	fails = false
	require.Equal(t, 202, s.post(t, signed("workflow_run", "0", run), run).status, "the forge comes again")
	require.NoError(t, s.door.Check(t.Context()))
	require.Equal(t, 1, s.count())
	require.Equal(t, 1, strings.Count(log.String(), "cannot be stored"))
	require.Equal(t, 1, strings.Count(log.String(), "stored again"))
}

func TestStoresThatHang(t *testing.T) {
	t.Parallel()
	hanging := make(chan struct{}, 8)
	s := open(t, func(c *hooks.Config) {
		c.Bounds = hooks.Bounds{Work: 1, PublishTime: 300 * time.Millisecond}
		c.Publish = func(ctx context.Context, _ string, _ forge.Sighting) error {
			hanging <- struct{}{}
			<-ctx.Done()
			return ctx.Err()
		}
	})
	statuses := make(chan int, 8)
	for n := range cap(statuses) {
		go func() {
			got, err := s.send(context.WithoutCancel(t.Context()), http.MethodPost, path, signed("workflow_run", strconv.Itoa(n), run), strings.NewReader(run))
			if err != nil {
				got.status = -1
			}
			statuses <- got.status
		}()
	}
	for range cap(statuses) {
		require.Equal(t, 503, <-statuses)
	}
	outcomes := s.outcomes(t)
	require.Equal(t, cap(statuses), outcomes["workflow_run busy"]+outcomes["workflow_run unstored"])
	require.NotZero(t, outcomes["workflow_run unstored"])
	require.Equal(t, 401, s.post(t, fakegithub.Sign("workflow_run", "d-1", "a guess", []byte(run)), run).status, "the others have their answer at once")
}

// hold makes a door whose store waits for proceed.
func hold(t *testing.T, drain time.Duration) (s *stage, began, proceed chan struct{}) {
	t.Helper()
	began, proceed = make(chan struct{}, 1), make(chan struct{})
	s = open(t, func(c *hooks.Config) {
		publish := c.Publish
		c.Drain, c.Bounds.PublishTime = drain, 10*time.Minute
		c.Publish = func(ctx context.Context, id string, sighting forge.Sighting) error {
			began <- struct{}{}
			select {
			case <-proceed:
				return publish(ctx, id, sighting)
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	})
	return s, began, proceed
}

func TestWhatHasBegunIsFinished(t *testing.T) {
	t.Parallel()
	s, began, proceed := hold(t, patience)
	w := s.dial(t)
	w.say(t, head(signed("workflow_run", "d-1", run), len(run))+run)
	<-began
	s.end()
	var dialer net.Dialer
	eventually(t, "nobody gets in", func() bool {
		conn, err := dialer.DialContext(t.Context(), "tcp", s.addr)
		if err == nil {
			_ = conn.Close()
		}
		return err != nil
	})
	close(proceed)
	require.Equal(t, 202, w.hear(t).status)
	require.NoError(t, <-s.ended)
	s.ended <- nil // for the cleanup
	require.Equal(t, 1, s.count())
}

func TestDrainsEnd(t *testing.T) {
	t.Parallel()
	s, began, _ := hold(t, 100*time.Millisecond)
	w := s.dial(t)
	w.say(t, head(signed("workflow_run", "d-1", run), len(run))+run)
	<-began
	slow := s.dial(t)
	slow.say(t, head(signed("workflow_run", "d-1", run), len(run))+run[:10])
	eventually(t, "its body is being read", func() bool { return gauge(t, s, "mlsdm_ci_webhook_body_bytes") > 0 })
	s.end()
	require.NoError(t, <-s.ended)
	s.ended <- nil
	require.Zero(t, s.count())
	require.Equal(t, map[string]int{"workflow_run unstored": 1, " broken": 1}, s.outcomes(t), "nothing goes on")
}

// Who hangs up has sent it all the same.
func TestClientsThatHangUp(t *testing.T) {
	t.Parallel()
	s, began, proceed := hold(t, patience)
	w := s.dial(t)
	w.say(t, head(signed("workflow_run", "d-1", run), len(run))+run)
	<-began
	require.NoError(t, w.Close())
	close(proceed)
	eventually(t, "it is stored", func() bool { return s.count() == 1 })
}

func TestTraces(t *testing.T) {
	t.Parallel()
	spans := tracetest.NewSpanRecorder()
	var published trace.SpanContext
	s := open(t, func(c *hooks.Config) {
		c.Tracer = bustest.Tracer(t, spans)
		c.Publish = func(ctx context.Context, id string, _ forge.Sighting) error {
			published = trace.SpanContextFromContext(ctx)
			if strings.Contains(id, "bad") {
				return errors.New("no")
			}
			return nil
		}
	})
	require.Equal(t, 401, s.post(t, fakegithub.Sign("workflow_run", "d-1", "a guess", []byte(run)), run).status)
	require.Empty(t, spans.Ended(), "nobody else fills the collector")
	require.Equal(t, 202, s.post(t, signed("workflow_run", "d-1", run), run).status)
	require.Equal(t, 503, s.post(t, signed("workflow_run", "bad", run), run).status)
	ended := spans.Ended()
	require.Len(t, ended, 2)
	require.Equal(t, "POST "+path, ended[0].Name())
	require.Equal(t, trace.SpanKindServer, ended[0].SpanKind())
	attributes := map[string]string{}
	for _, a := range ended[0].Attributes() {
		attributes[string(a.Key)] = a.Value.String()
	}
	require.Equal(t, map[string]string{
		"http.request.method": "POST", "http.route": path, "http.response.status_code": "202", "url.path": path, "url.scheme": "http",
		"mlsdm.ci.forge": "github", "mlsdm.ci.webhook": "workflow_run", "mlsdm.ci.outcome": "accepted",
	}, attributes)
	require.Equal(t, codes.Error, ended[1].Status().Code)
	require.Equal(t, ended[1].SpanContext().SpanID(), published.SpanID())
}
