package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/neuron7x/mlsdm-integrations/cmd/mlsdmctl/internal/journey"
	"github.com/neuron7x/mlsdm-integrations/cmd/mlsdmctl/internal/stack"
	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/internal/service"
	"github.com/neuron7x/mlsdm-integrations/pkg/client"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services"
)

// The trace of every message that a traced stack is sent.
const (
	tracedID     = "4bf92f3577b34da6a3ce929d0e0e4736"
	tracedParent = "00-" + tracedID + "-00f067aa0ba902b7-01"
)

// traced is a stack with the services that are named, and a receiver of webhooks.
type traced struct {
	*stack.Stack

	bus *bus.Bus

	mu      sync.Mutex
	answers []int // HTTP statuses, each once; then 200
}

func newTraced(t *testing.T, running ...string) *traced {
	t.Helper()
	s := &traced{}
	discard := slog.New(slog.DiscardHandler)
	var err error
	s.Stack, err = stack.Start(t.Context(), stack.Options{
		Addr: "127.0.0.1:0", DataDir: filepath.Join(t.TempDir(), "data"), Tracer: noop.NewTracerProvider(),
		Units:  slices.DeleteFunc(services.Units(), func(u service.Unit) bool { return !slices.Contains(running, u.Name) }),
		Source: service.Source{Lookup: none}, Logger: discard, LoggerFor: func(string) *slog.Logger { return discard },
	})
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), soon)
		defer cancel()
		require.NoError(t, s.Stop(ctx))
	})
	ctx, cancel := context.WithTimeout(t.Context(), soon)
	defer cancel()
	require.NoError(t, s.Ready(ctx))
	s.bus, err = bus.Connect(ctx, bus.Config{URLs: []string{s.URL()}}, "test", bus.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.bus.Close(context.WithoutCancel(t.Context()))) })
	return s
}

// endpoint makes the endpoint "shop" for some event types, whose receiver answers with some statuses and then 200.
func (s *traced) endpoint(t *testing.T, types []string, retry []string, answers ...int) {
	t.Helper()
	s.answers = answers
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // a sender that has gone is no concern of this test
		s.mu.Lock()
		defer s.mu.Unlock()
		status := http.StatusOK
		if len(s.answers) > 0 {
			status, s.answers = s.answers[0], s.answers[1:]
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, "status "+http.StatusText(status))
	}))
	t.Cleanup(receiver.Close)
	c, err := client.Connect(t.Context(), s.URL())
	require.NoError(t, err)
	defer c.Close()
	_, err = c.CreateEndpoint(t.Context(), events.EndpointCreateRequest{Endpoint: events.EndpointSpec{ID: "shop", URL: receiver.URL, Events: types, Retry: retry}})
	require.NoError(t, err)
}

// submit stores a durable request for vectors under an id, as part of the trace.
func (s *traced) submit(t *testing.T, id, body string) {
	t.Helper()
	_, err := s.bus.Publish(t.Context(), bus.Msg{
		Subject: s.bus.Subjects().Request("shop", events.KindEmbed), ID: id, Header: map[string][]string{"Traceparent": {tracedParent}}, Body: []byte(body),
	})
	require.NoError(t, err)
}

// ctl runs the command line.
func (s *traced) ctl(ctx context.Context, args ...string) (out, errs string, code int) {
	var stdout, stderr bytes.Buffer
	code = run(ctx, append([]string{"--server", s.URL()}, args...), terminal{in: strings.NewReader(""), out: &stdout, err: &stderr, lookup: none})
	return stdout.String(), stderr.String(), code
}

// journey is what the command prints as JSON, once it is as far as a test wants it to be.
func (s *traced) journey(t *testing.T, id string, far func(j *journey.Journey) bool) *journey.Journey {
	t.Helper()
	var j journey.Journey
	var last string
	require.Eventually(t, func() bool {
		out, errs, code := s.ctl(t.Context(), "trace", id, "--json")
		last = out + errs
		j = journey.Journey{}
		return code == 0 && json.Unmarshal([]byte(out), &j) == nil && far(&j)
	}, soon, 20*time.Millisecond, "it never came so far: %s", &last)
	return &j
}

func ended(j *journey.Journey) bool { return j.Ended }

// delivered says that the first event of the first request was delivered somewhere.
func delivered(j *journey.Journey) bool {
	return len(j.Requests) == 1 && len(j.Requests[0].Events) == 1 && len(j.Requests[0].Events[0].Deliveries) == 1 &&
		j.Requests[0].Events[0].Deliveries[0].State == journey.StateDelivered
}

func TestTraceOfARequestToItsWebhook(t *testing.T) {
	t.Parallel()
	s := newTraced(t, events.ServiceEmbedder, events.ServiceDispatcher)
	s.endpoint(t, []string{"request.processed"}, []string{"50ms", "50ms", "50ms"}, http.StatusServiceUnavailable, http.StatusServiceUnavailable)
	s.submit(t, "order-1", `{"input":"a text"}`)
	s.submit(t, "other", `{"input":"another"}`)

	j := s.journey(t, "order-1", func(j *journey.Journey) bool {
		return ended(j) && len(j.Requests) == 2 && len(j.Requests[0].Events) > 0
	})
	require.Equal(t, []string{journey.IsRequest}, j.Is, "the other request is of the same trace")
	require.Equal(t, []journey.Trace{{ID: tracedID}}, j.Traces)

	j = s.journey(t, "order-1", func(j *journey.Journey) bool {
		return ended(j) && slices.ContainsFunc(j.Requests, func(r *journey.Request) bool {
			return r.ID == "order-1" && len(r.Events) == 1 && len(r.Events[0].Deliveries) == 1 && len(r.Events[0].Deliveries[0].Attempts) > 0
		})
	})
	r := j.Requests[slices.IndexFunc(j.Requests, func(r *journey.Request) bool { return r.ID == "order-1" })]
	require.Equal(t, journey.StateAnswered, r.State)
	require.Equal(t, "shop", r.Caller)
	require.Len(t, r.Results, 1)
	require.Empty(t, r.Results[0].Code)
	require.Positive(t, r.Results[0].Bytes)
	require.True(t, r.Results[0].KeptUntil.After(r.Results[0].At))
	require.False(t, r.At.IsZero(), "the result tells when the request was stored")
	require.False(t, r.Results[0].At.Before(r.At))
	require.Equal(t, "request.processed", r.Events[0].Type)
	require.Contains(t, r.Events[0].About, "embed ok in ")
	require.True(t, *r.Events[0].Routed)
	d := r.Events[0].Deliveries[0]
	require.Equal(t, "shop", d.EndpointID)
	require.Equal(t, journey.StateDelivered, d.State)
	require.Empty(t, d.Queued)

	// All other ids of it lead to the same.
	for id, is := range map[string]string{r.Events[0].ID: journey.IsEvent, d.ID: journey.IsDelivery, tracedParent: journey.IsTrace, strings.ToUpper(tracedID): journey.IsTrace} {
		same := s.journey(t, id, func(j *journey.Journey) bool { return ended(j) && len(j.Requests) == 2 })
		require.Contains(t, same.Is, is, id)
	}

	out, errs, code := s.ctl(t.Context(), "trace", d.ID, "--jaeger-url", "http://jaeger/trace/{trace_id}")
	require.Zero(t, code, errs)
	require.Contains(t, out, "trace "+tracedID+"  http://jaeger/trace/"+tracedID+"\n")
	require.Contains(t, out, "order-1, asked by shop: answered")
	require.Contains(t, out, "HTTP 503 in ")
	require.Contains(t, out, "answered: status Service Unavailable")
	require.Contains(t, out, "HTTP 200 in ")
}

func TestTraceCountsEveryAttempt(t *testing.T) {
	t.Parallel()
	s := newTraced(t, events.ServiceEmbedder, events.ServiceDispatcher)
	s.endpoint(t, []string{"request.processed"}, []string{"50ms", "50ms", "50ms"}, http.StatusServiceUnavailable, http.StatusServiceUnavailable)
	s.submit(t, "order-1", `{"input":"a text"}`)
	out, errs, code := s.ctl(t.Context(), "trace", "order-1", "--watch", "--json", "--interval", "200ms")
	require.Zero(t, code, errs)
	looks := decodeLines[journey.Journey](t, out)
	require.True(t, looks[len(looks)-1].Ended)
	j := s.journey(t, "order-1", delivered)
	var statuses, tries []int
	for _, a := range j.Requests[0].Events[0].Deliveries[0].Attempts {
		statuses, tries = append(statuses, a.Status), append(tries, a.Attempt)
	}
	require.Equal(t, []int{503, 503, 200}, statuses)
	require.Equal(t, []int{1, 2, 3}, tries)
}

func TestTraceOfADeliveryThatIsGivenUpAndReplayed(t *testing.T) {
	t.Parallel()
	s := newTraced(t, events.ServiceDispatcher)
	s.endpoint(t, []string{"custom.>"}, []string{"20ms"}, http.StatusServiceUnavailable, http.StatusServiceUnavailable)
	ev := events.Event{ID: "deploy-1", Source: "/shop", Type: "custom.deploy", Subject: "release 7", Time: time.Now(), Data: []byte(`{"v":1}`)}
	_, err := s.bus.PublishEvent(t.Context(), ev)
	require.NoError(t, err)

	j := s.journey(t, "deploy-1", func(j *journey.Journey) bool {
		return ended(j) && len(j.Events) == 1 && len(j.Events[0].Deliveries) == 1 && len(j.Events[0].Deliveries[0].Events) == 1 &&
			len(j.Events[0].Deliveries[0].Attempts) == 2
	})
	require.Equal(t, []string{journey.IsEvent}, j.Is)
	d := j.Events[0].Deliveries[0]
	require.Equal(t, journey.StateDead, d.State)
	require.Len(t, d.DeadLetters, 1)
	require.Equal(t, events.FaultReceiver, d.DeadLetters[0].Fault)
	require.Equal(t, 2, d.DeadLetters[0].Attempts)
	require.Equal(t, events.TypeDeliveryFailed, d.Events[0].Type)
	out, errs, code := s.ctl(t.Context(), "trace", "deploy-1")
	require.Zero(t, code, errs)
	require.Contains(t, out, ": given up, 2 attempts\n")
	require.Contains(t, out, "fault of the receiver, after 2 attempts, dead letter 1)")
	require.Contains(t, out, "event delivery.failed  ")

	_, errs, code = s.ctl(t.Context(), "webhooks", "deliveries", "replay", "--delivery", d.ID, "--yes")
	require.Zero(t, code, errs)
	j = s.journey(t, "release 7", func(j *journey.Journey) bool {
		return ended(j) && len(j.Events) == 1 && j.Events[0].Deliveries[0].State == journey.StateDelivered
	})
	require.Equal(t, []string{journey.IsSubject}, j.Is)
	tries := j.Events[0].Deliveries[0].Attempts
	require.Len(t, tries, 3)
	require.NotEmpty(t, tries[2].ReplayID)
	require.Equal(t, 1, tries[2].Attempt)
	out, errs, code = s.ctl(t.Context(), "trace", d.ID)
	require.Zero(t, code, errs)
	require.Contains(t, out, "replay "+tries[2].ReplayID)
}

func TestTraceOfWhatWaits(t *testing.T) {
	t.Parallel()
	s := newTraced(t, events.ServiceDispatcher)
	s.endpoint(t, []string{"custom.>"}, []string{"1h"}, http.StatusServiceUnavailable)
	s.submit(t, "first", `{"input":"a text"}`)
	s.submit(t, "order-1", `{"input":"a text"}`)
	// An application may use the id of another's request.
	_, err := s.bus.Publish(t.Context(), bus.Msg{Subject: s.bus.Subjects().Request("", events.KindEmbed), Header: map[string][]string{events.HeaderRequestID: {"order-1"}}, Body: []byte(`{"input":"b"}`)})
	require.NoError(t, err)
	_, err = s.bus.PublishEvent(t.Context(), events.Event{ID: "order-1", Source: "/shop", Type: "custom.deploy", Time: time.Now()})
	require.NoError(t, err)

	j := s.journey(t, "order-1", func(j *journey.Journey) bool {
		return len(j.Events) == 1 && len(j.Events[0].Deliveries) == 1 && len(j.Events[0].Deliveries[0].Attempts) == 1 && len(j.Events[0].Deliveries[0].Queued) == 1
	})
	require.False(t, j.Ended)
	require.Equal(t, []string{journey.IsEvent, journey.IsRequest}, j.Is)
	require.Len(t, j.Requests, 3)
	require.Equal(t, journey.StateWaiting, j.Requests[1].State)
	require.EqualValues(t, 1, j.Requests[1].Before)
	require.EqualValues(t, 2, j.Requests[2].Before)
	require.Equal(t, "default", j.Requests[2].Caller)
	require.Equal(t, []string{
		"order-1 is the id of several things: event, request; all are shown", "2 callers have a request order-1: default, shop; all are shown",
	}, append(j.Notes[:1:1], strings.Replace(j.Notes[1], "shop, default", "default, shop", 1)))
	d := j.Events[0].Deliveries[0]
	require.Equal(t, journey.StateRetry, d.State)
	require.Equal(t, 2, d.Queued[0].Attempt)
	require.Greater(t, time.Until(d.Queued[0].Due), 30*time.Minute)
	out, errs, code := s.ctl(t.Context(), "trace", d.ID)
	require.Zero(t, code, errs)
	require.Regexp(t, `attempt 2  is due in (\dh\d\dm|\d\dm\d\ds)`, out)
	require.Contains(t, out, "it has not ended yet; --watch follows it")
}

func TestTraceOfNothing(t *testing.T) {
	t.Parallel()
	s := newTraced(t, events.ServiceDispatcher)
	out, errs, code := s.ctl(t.Context(), "trace", "nobody-knows", "--since", "2d")
	require.Equal(t, 1, code)
	require.Empty(t, out)
	require.Contains(t, errs, "nothing has to do with nobody-knows\n")
	require.Contains(t, errs, "  MLSDM_EVENTS (events, kept for 7 days): 0 messages since ")
	require.Contains(t, errs, "  MLSDM_REQUESTS (durable requests, kept until they are answered): 0 messages\n")
	require.Contains(t, errs, "--since 7d searches further back")
	for _, wrong := range [][]string{{"x", "--since", "soon"}, {"x", "--limit", "0"}, {"x", "--interval", "1ms"}, {"x", "--jaeger-url", "http://x/"}, {" "}} {
		_, errs, code := s.ctl(t.Context(), append([]string{"trace"}, wrong...)...)
		require.Equal(t, 2, code, wrong)
		require.NotEmpty(t, errs)
	}
}

func TestTraceWatchesUntilItHasEnded(t *testing.T) {
	t.Parallel()
	s := newTraced(t, events.ServiceDispatcher)
	s.endpoint(t, []string{"custom.>"}, []string{"20ms"})
	screen := &liveTerminal{}
	ended := make(chan int, 1)
	go func() {
		ended <- run(t.Context(), []string{"--server", s.URL(), "trace", "deploy-1", "--watch", "--interval", "100ms"},
			terminal{in: strings.NewReader(""), out: screen, err: screen, lookup: none})
	}()
	screen.waitFor(t, "nothing has to do with deploy-1 yet; waiting")
	_, err := s.bus.PublishEvent(t.Context(), events.Event{ID: "deploy-1", Source: "/shop", Type: "custom.deploy", Time: time.Now()})
	require.NoError(t, err)
	screen.waitFor(t, "HTTP 200 in ")
	require.Zero(t, <-ended)
	require.Contains(t, screen.String(), "\x1b[H\x1b[2J")
}

// An application reads events, and asks the dispatcher for the rest.
func TestTraceOfAnApplication(t *testing.T) {
	t.Parallel()
	s := newTraced(t, events.ServiceDispatcher)
	s.endpoint(t, []string{"custom.>"}, []string{"20ms"}, http.StatusServiceUnavailable, http.StatusServiceUnavailable)
	_, err := s.bus.PublishEvent(t.Context(), events.Event{ID: "deploy-1", Source: "/shop", Type: "custom.deploy", Time: time.Now()})
	require.NoError(t, err)
	whole := s.journey(t, "deploy-1", func(j *journey.Journey) bool {
		return ended(j) && len(j.Events) == 1 && len(j.Events[0].Deliveries) == 1 && len(j.Events[0].Deliveries[0].Events) == 1 &&
			len(j.Events[0].Deliveries[0].Attempts) == 2
	})
	want := whole.Events[0].Deliveries[0]
	for _, id := range []string{"deploy-1", want.ID} {
		j, err := journey.Find(t.Context(), s.bus, id, journey.Options{Now: time.Now(), Own: "shop"})
		require.NoError(t, err)
		require.Len(t, j.Events, 1)
		require.Len(t, j.Events[0].Deliveries, 1)
		got := j.Events[0].Deliveries[0]
		require.Equal(t, want.State, got.State)
		require.Equal(t, want.Attempts, got.Attempts)
		require.Len(t, got.DeadLetters, 1)
		require.Len(t, got.Events, 1)
		for _, search := range j.Searched {
			if search.Stream == "MLSDM_REQUESTS" {
				require.Equal(t, "shop may not read it; the administrator may", search.Left)
			}
		}
	}
}

// The rights of a closed bus are enough, and nobody waits for what he may not read.
func TestTraceOnAClosedBus(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t, bustest.Closed("shop"))
	admin := s.Connect(t, "admin")
	for _, subject := range []string{admin.Subjects().Request("shop", events.KindEmbed), admin.Subjects().Event("custom.deploy")} {
		_, err := admin.Publish(t.Context(), bus.Msg{Subject: subject, ID: "order-1", Body: []byte(`{"input":"a"}`)})
		require.NoError(t, err)
	}
	ctl := func(user string, args ...string) (out, errs string, code int) {
		key := s.Key(t, user)
		file := filepath.Join(t.TempDir(), user+".nk")
		text := "# user: " + user + "\n"
		if !key.API.IsZero() {
			text += "# api: " + key.API.Reveal() + "\n"
		}
		require.NoError(t, os.WriteFile(file, []byte(text+key.Seed.Reveal()+"\n"), 0o600))
		return atServer(t.Context(), s, "", append([]string{"--nkey", file}, args...)...)
	}
	out, errs, code := ctl("admin", "trace", "order-1")
	require.Zero(t, code, errs)
	require.Contains(t, out, "request embed  order-1, asked by shop: waits for ")
	require.Contains(t, out, "event custom.deploy  order-1")
	require.NotContains(t, out, "was not searched")
	out, errs, code = ctl("shop", "trace", "order-1")
	require.Zero(t, code, errs)
	require.NotContains(t, out, "request embed")
	require.Contains(t, out, "event custom.deploy  order-1")
	require.Contains(t, out, "MLSDM_REQUESTS was not searched to its end: shop may not read it; the administrator may")
	require.Contains(t, out, "MLSDM_ATTEMPTS was not searched to its end: nobody answers on mlsdm.as.shop.webhooks.deliveries.list")

	out, errs, code = ctl("admin", "top", "--once", "--json", "--interval", "500ms")
	require.Zero(t, code, errs)
	require.Contains(t, out, `"name":"dispatcher-router"`)
	require.NotContains(t, out, `"notes"`)
}

func TestTraceOfACIRun(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t)
	b := s.Connect(t, "test")
	ended := time.Now().Add(-time.Minute).UTC()
	ev, err := events.New("/mlsdm/ciwatch", events.CIRunFailed{
		CIRun: events.CIRun{
			Repository: "neuron7x/mlsdm", Workflow: "CI", Branch: "main", RunID: 7, RunAttempt: 1, Conclusion: "failure", URL: "https://forge/7",
			StartedAt: ended.Add(-2 * time.Minute), CompletedAt: ended,
		},
		ConsecutiveFailures: 1,
	})
	require.NoError(t, err)
	ev.Subject, ev.TraceParent = "neuron7x/mlsdm", tracedParent
	_, err = b.PublishEvent(t.Context(), ev)
	require.NoError(t, err)
	_, err = b.Publish(t.Context(), bus.Msg{
		Subject: b.Subjects().Sightings(0), ID: "told-again", Header: map[string][]string{events.HeaderTraceParent: {tracedParent}},
		Body: []byte(`{"forge":"github","repository":"neuron7x/mlsdm","run":{"id":7}}`),
	})
	require.NoError(t, err)
	out, errs, code := atServer(t.Context(), s, "", "trace", ev.ID)
	require.Zero(t, code, errs)
	require.Contains(t, out, "event ci.run_failed  "+ev.ID+": neuron7x/mlsdm CI, on main, run 7, failure\n")
	require.Regexp(t, `the run took 2m00s and ended 1m\d\ds before this https://forge/7\n`, out)
	require.Contains(t, out, "the dispatcher has not seen it yet")
	require.Contains(t, out, "sighting  neuron7x/mlsdm run 7, waits for ")
}
