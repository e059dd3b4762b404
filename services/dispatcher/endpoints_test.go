package dispatcher_test

import (
	"encoding/json"
	"net/http"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/internal/secret/seal"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/pkg/webhook"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/gate"
)

// onlyBus is a configuration without an endpoint of its own.
func onlyBus() dispatcher.Config {
	cfg := config("")
	cfg.Secret = secret.Value{}
	return cfg
}

// call asks for an operation and must succeed.
func call[Response any](t testing.TB, r *running, operation string, request any) Response {
	t.Helper()
	body, err := json.Marshal(request)
	require.NoError(t, err)
	reply, err := ask(t, r.bus, "mlsdm."+operation, string(body))
	require.NoError(t, err, "%s %s", operation, body)
	return decode[Response](t, reply.Body)
}

// spec is an endpoint whose public key everybody may know, tried again at once.
func spec(id, url string) events.EndpointSpec {
	return events.EndpointSpec{
		ID: id, URL: url, Signing: []events.EndpointSigning{{Method: events.SignEd25519}}, Retry: waits(9, time.Millisecond), Timeout: "10s",
	}
}

// create makes an endpoint.
func create(t testing.TB, r *running, s events.EndpointSpec) events.Endpoint {
	t.Helper()
	return call[events.EndpointChanged](t, r, events.OpEndpointsCreate, events.EndpointCreateRequest{Endpoint: s}).Endpoint
}

func TestEndpointOfTheBus(t *testing.T) {
	t.Parallel()
	srv := bustest.Start(t)
	to := newReceiver(t, nil)
	r := run(t, srv, onlyBus())
	e := create(t, r, spec("shop", to.url))
	require.Equal(t, "bus", e.Source)
	require.Equal(t, events.EndpointActive, e.Status.State)

	ev := publish(t, r.bus, "custom.deploy", "event-1")
	h := to.next(t)
	require.Equal(t, ev.ID, h.id)
	verifier, err := webhook.New(e.Keys[0].PublicKey)
	require.NoError(t, err)
	require.NoError(t, verifier.Verify(h.header, h.body))

	call[events.EndpointChanged](t, r, events.OpEndpointsUpdate, events.EndpointUpdateRequest{ID: "shop", Endpoint: []byte(`{"events":["ci.>"],"headers":{"X-Team":"a"}}`)})
	publish(t, r.bus, "custom.deploy", "event-2")
	publish(t, r.bus, "ci.degraded", "event-3")
	h = to.next(t)
	require.Equal(t, "event-3", h.id)
	require.Equal(t, "a", h.header.Get("X-Team"))

	call[events.EndpointDeleted](t, r, events.OpEndpointsDelete, events.EndpointDeleteRequest{ID: "shop"})
	publish(t, r.bus, "ci.degraded", "event-4")
	settled(t, srv)
	r.stop()
	require.Empty(t, to.hits)
}

// A change is in effect on every replica within moments.
func TestChangesTakeEffectOnEveryReplica(t *testing.T) {
	t.Parallel()
	srv := bustest.Start(t)
	to := newReceiver(t, nil)
	one, two := run(t, srv, onlyBus()), run(t, srv, onlyBus())
	create(t, one, spec("shop", to.url))
	begin := time.Now()
	require.Eventually(t, func() bool {
		list := 0
		for range 10 { // whichever replica answers
			list += len(call[events.EndpointsList](t, two, events.OpEndpointsList, events.EndpointsListRequest{}).Endpoints)
		}
		return list == 10
	}, patience, time.Millisecond)
	t.Logf("every replica knows the endpoint %s after the answer", time.Since(begin))
}

// createWithSecret makes an endpoint whose generated v1 secret is told.
func createWithSecret(t testing.TB, r *running, s events.EndpointSpec) string {
	t.Helper()
	key, err := seal.NewKey()
	require.NoError(t, err)
	defer key.Wipe()
	s.Signing = nil
	made := call[events.EndpointChanged](t, r, events.OpEndpointsCreate, events.EndpointCreateRequest{Endpoint: s, RecipientKey: key.Public()})
	require.Len(t, made.Secrets, 1)
	opened, err := key.Open(made.Secrets[0].Sealed, made.Secrets[0].SenderKey)
	require.NoError(t, err)
	return opened.Reveal()
}

func TestFormats(t *testing.T) {
	t.Parallel()
	srv := bustest.Start(t)
	r := run(t, srv, onlyBus())
	ev := events.Event{
		ID: "event-1", Source: "/test", Type: "custom.deploy", Time: time.Unix(1_700_000_000, 250_000_000).UTC(),
		DataContentType: events.ContentTypeJSON, Data: []byte(`{"n":1}`),
	}
	type sent struct {
		hit
		secret string
	}
	got := map[string]sent{}
	receivers := map[string]*receiver{}
	for _, format := range []string{events.FormatStandard, events.FormatCloudEvents, events.FormatMLSDM} {
		receivers[format] = newReceiver(t, nil)
		s := spec(format, receivers[format].url)
		s.Format = format
		got[format] = sent{secret: createWithSecret(t, r, s)}
	}
	_, err := r.bus.PublishEvent(t.Context(), ev)
	require.NoError(t, err)
	for format, to := range receivers {
		got[format] = sent{to.next(t), got[format].secret}
		official, err := standardwebhooks.NewWebhook(got[format].secret)
		require.NoError(t, err)
		require.NoError(t, official.Verify(got[format].body, got[format].header), format)
	}
	require.JSONEq(t, `{"type":"custom.deploy","timestamp":"2023-11-14T22:13:20.25Z","data":{"n":1}}`, string(got[events.FormatStandard].body))
	require.Empty(t, got[events.FormatStandard].header.Get("X-Webhook-Signature"))
	require.Equal(t, "application/cloudevents+json", got[events.FormatCloudEvents].header.Get("Content-Type"))
	parsed, err := events.ParseStructured(got[events.FormatCloudEvents].body)
	require.NoError(t, err)
	require.NotEmpty(t, parsed.TraceParent, "that of its publisher")
	parsed.TraceParent = ""
	require.Equal(t, ev, parsed)
	require.JSONEq(t, `{"event_type": "custom.deploy", "timestamp": 1700000000.25, "data": {"n":1}, "source": "/test", "event_id": "event-1"}`,
		string(got[events.FormatMLSDM].body))
	verify(t, got[events.FormatMLSDM].secret, got[events.FormatMLSDM].hit) // the rule of the Python client too
}

// Records of attempts that cannot be kept neither lose a delivery nor repeat one.
func TestDeliveriesNeedNoRecords(t *testing.T) {
	t.Parallel()
	srv := bustest.Start(t)
	to := newReceiver(t, nil)
	r := run(t, srv, onlyBus())
	create(t, r, spec("shop", to.url))
	js, err := srv.Conn(t).JetStream()
	require.NoError(t, err)
	require.NoError(t, js.DeleteStream("MLSDM_ATTEMPTS"))
	const total = 20
	for i := range total {
		publish(t, r.bus, "custom.deploy", "event-"+strconv.Itoa(i))
	}
	for range total {
		to.next(t)
	}
	settled(t, srv)
	r.stop()
	require.Empty(t, to.hits)
}

func TestFilterChooses(t *testing.T) {
	t.Parallel()
	srv := bustest.Start(t)
	to := newReceiver(t, nil)
	r := run(t, srv, onlyBus())
	s := spec("shop", to.url)
	s.Filter = `data.total > 100`
	create(t, r, s)
	for id, data := range map[string]string{"small": `{"total":99}`, "big": `{"total":101}`, "none": `{"x":1}`, "text": `"hello"`} {
		_, err := r.bus.PublishEvent(t.Context(), events.Event{
			ID: id, Source: "/test", Type: "custom.order", Time: time.Now(), DataContentType: events.ContentTypeJSON, Data: []byte(data),
		})
		require.NoError(t, err)
	}
	require.Equal(t, "big", to.next(t).id)
	r.stop()
	require.Empty(t, to.hits)
}

// What a receiver says decides how often it is tried.
func TestAttemptsByAnswer(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		answer   func(w http.ResponseWriter)
		attempts string
		fault    string
		disabled bool
	}{
		{"400", func(w http.ResponseWriter) { w.WriteHeader(http.StatusBadRequest) }, "3", events.FaultReceiver, false},
		{"404", func(w http.ResponseWriter) { w.WriteHeader(http.StatusNotFound) }, "3", events.FaultReceiver, false},
		{"302", func(w http.ResponseWriter) { w.Header().Set("Location", "/x"); w.WriteHeader(http.StatusFound) }, "3", events.FaultReceiver, false},
		{"408", func(w http.ResponseWriter) { w.WriteHeader(http.StatusRequestTimeout) }, "5", events.FaultReceiver, false},
		{"425", func(w http.ResponseWriter) { w.WriteHeader(http.StatusTooEarly) }, "5", events.FaultReceiver, false},
		{"429", func(w http.ResponseWriter) { w.WriteHeader(http.StatusTooManyRequests) }, "5", events.FaultReceiver, false},
		{"500", func(w http.ResponseWriter) { w.WriteHeader(http.StatusInternalServerError) }, "5", events.FaultReceiver, false},
		{"reset", func(http.ResponseWriter) { panic(http.ErrAbortHandler) }, "5", events.FaultReceiver, false},
		{"abort", func(w http.ResponseWriter) {
			w.Header().Set("webhook-delivery", "abort-message")
			w.WriteHeader(http.StatusInternalServerError)
		}, "1", events.FaultReceiver, false},
		{"410", func(w http.ResponseWriter) { w.WriteHeader(http.StatusGone) }, "1", events.FaultReceiver, true},
		{"disable", func(w http.ResponseWriter) {
			w.Header().Set("webhook-delivery", "disable")
			w.WriteHeader(http.StatusBadRequest)
		}, "1", events.FaultReceiver, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			srv := bustest.Start(t)
			to := newReceiver(t, func(w http.ResponseWriter, _ hit, _ int) { tt.answer(w) })
			r := run(t, srv, onlyBus())
			s := spec("shop", to.url)
			s.Retry = waits(4, time.Millisecond)
			create(t, r, s)
			dead := listen(t, srv, "mlsdm.deadletters.>")
			publish(t, r.bus, "custom.deploy", "event-1")
			letter := dead()
			require.Equal(t, "mlsdm.deadletters.deliveries."+tt.fault+".shop", letter.subject)
			require.Equal(t, tt.attempts, letter.value(events.HeaderAttempt))
			state := call[events.Endpoint](t, r, events.OpEndpointsGet, events.EndpointRequest{ID: "shop"}).Status.State
			require.Equal(t, tt.disabled, state == events.EndpointDisabledState, state)
		})
	}
}

// No replica keeps counting for an endpoint that is gone, wherever that was asked for.
func TestMetricsOfADeletedEndpoint(t *testing.T) {
	t.Parallel()
	srv := bustest.Start(t)
	to := newReceiver(t, nil)
	one := run(t, srv, onlyBus())
	create(t, one, spec("shop", to.url))
	publish(t, one.bus, "custom.deploy", "event-1")
	to.next(t)
	delivered := func() float64 { return one.counted(t, "mlsdm_webhook_attempts_total", "endpoint", "shop") }
	require.Eventually(t, func() bool { return delivered() == 1 }, patience, time.Millisecond)
	two := srv.Connect(t, "hand") // as another replica does it
	kv, err := two.KV(t.Context(), events.BucketEndpoints)
	require.NoError(t, err)
	require.NoError(t, kv.Delete(t.Context(), "shop", 0))
	require.Eventually(t, func() bool { return delivered() == 0 }, patience, 5*time.Millisecond)
}

// A disabled endpoint: somebody hears of it, what follows is not delivered, and a probe heals it.
func TestDisabledAndHealed(t *testing.T) {
	t.Parallel()
	srv := bustest.Start(t)
	var working atomic.Bool
	to := newReceiver(t, func(w http.ResponseWriter, _ hit, _ int) {
		if !working.Load() {
			w.WriteHeader(http.StatusGone)
		}
	})
	other := newReceiver(t, nil)
	r := run(t, srv, onlyBus(), func(s *dispatcher.Service) { s.Hasten(gate.DefaultPolicy(), 500*time.Millisecond) })
	create(t, r, spec("shop", to.url))
	s := spec("ops", other.url)
	s.Events = []string{events.TypeEndpointDisabled, events.TypeEndpointRecovered}
	create(t, r, s)
	publish(t, r.bus, "custom.deploy", "event-1")
	require.Equal(t, "event-1", to.next(t).id)
	told := decode[map[string]any](t, other.next(t).body)
	require.Equal(t, events.TypeEndpointDisabled, told["type"])
	require.Equal(t, map[string]any{"endpoint_id": "shop", "last_status": 410.0, "reason": "the receiver answered 410 Gone; it wants no more webhooks"}, told["data"])

	publish(t, r.bus, "custom.deploy", "event-2")
	require.NotEqual(t, "event-2", to.next(t).id, "a probe that fails")
	working.Store(true)
	to.next(t)
	told = decode[map[string]any](t, other.next(t).body)
	require.Equal(t, events.TypeEndpointRecovered, told["type"])
	require.Eventually(t, func() bool {
		return call[events.Endpoint](t, r, events.OpEndpointsGet, events.EndpointRequest{ID: "shop"}).Status.State == events.EndpointActive
	}, patience, 5*time.Millisecond)
	publish(t, r.bus, "custom.deploy", "event-3")
	require.Eventually(t, func() bool { return to.next(t).id == "event-3" }, patience, time.Millisecond, "beside probes that were on their way")
	require.Equal(t, 2, endpointEvents(t, srv), "told once each")
}

// endpointEvents counts the events about endpoints.
func endpointEvents(t *testing.T, srv *bustest.Server) int {
	t.Helper()
	js, err := srv.Conn(t).JetStream()
	require.NoError(t, err)
	info, err := js.StreamInfo("MLSDM_EVENTS")
	require.NoError(t, err)
	n := 0
	for seq := info.State.FirstSeq; seq <= info.State.LastSeq; seq++ {
		m, err := js.GetMsg("MLSDM_EVENTS", seq)
		require.NoError(t, err)
		if len(m.Subject) > len("mlsdm.events.endpoint.") && m.Subject[:len("mlsdm.events.endpoint.")] == "mlsdm.events.endpoint." {
			n++
		}
	}
	return n
}

// What waits for an endpoint that its operator disables goes to dead letters, as the endpoint's fault.
func TestDisabledByItsOperator(t *testing.T) {
	t.Parallel()
	srv := bustest.Start(t)
	to := newReceiver(t, status(http.StatusInternalServerError))
	r := run(t, srv, onlyBus())
	s := spec("shop", to.url)
	s.Retry = waits(3, 1500*time.Millisecond)
	create(t, r, s)
	dead := listen(t, srv, "mlsdm.deadletters.>")
	publish(t, r.bus, "custom.deploy", "event-1")
	to.next(t)
	call[events.EndpointChanged](t, r, events.OpEndpointsUpdate, events.EndpointUpdateRequest{ID: "shop", Endpoint: []byte(`{"disabled":true}`)})
	require.Equal(t, "mlsdm.deadletters.deliveries.endpoint.shop", dead().subject)
	require.Empty(t, to.hits)
	require.Equal(t, events.EndpointDisabledState, call[events.Endpoint](t, r, events.OpEndpointsGet, events.EndpointRequest{ID: "shop"}).Status.State)
	_, err := ask(t, r.bus, "mlsdm."+events.OpDeliveriesReplay, `{"replay_id":"x","to":"shop"}`)
	require.Equal(t, events.CodeFailedPrecondition, events.CodeOf(err))
}

func TestTestEndpoint(t *testing.T) {
	t.Parallel()
	srv := bustest.Start(t)
	to := newReceiver(t, func(w http.ResponseWriter, _ hit, n int) {
		if n == 2 {
			w.WriteHeader(http.StatusTeapot)
		}
	})
	r := run(t, srv, onlyBus())
	e := create(t, r, spec("shop", to.url))
	attempt := call[events.DeliveryAttempt](t, r, events.OpEndpointsTest, events.EndpointRequest{ID: "shop"})
	require.Equal(t, 200, attempt.Status)
	require.Equal(t, events.AttemptDelivered, attempt.Outcome)
	require.NotNil(t, attempt.Timing)
	h := to.next(t)
	verifier, err := webhook.New(e.Keys[0].PublicKey)
	require.NoError(t, err)
	require.NoError(t, verifier.Verify(h.header, h.body))
	require.Contains(t, string(h.body), `"webhook.test"`)
	attempt = call[events.DeliveryAttempt](t, r, events.OpEndpointsTest, events.EndpointRequest{ID: "shop"})
	require.Equal(t, http.StatusTeapot, attempt.Status)
	require.Equal(t, events.AttemptDead, attempt.Outcome)
	_, err = ask(t, r.bus, "mlsdm."+events.OpEndpointsTest, `{"id":"nobody"}`)
	require.Equal(t, events.CodeNotFound, events.CodeOf(err))
}
