package canary_test

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/test/process"
)

// exported is what a collector was sent, by signal. Texts stand in OTLP as they are.
type exported struct {
	mu  sync.Mutex
	all map[string][]byte
}

// newExported starts a collector.
func newExported(t *testing.T) (*exported, string) {
	t.Helper()
	e := &exported{all: map[string][]byte{}}
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // the sender went away
		}
		e.mu.Lock()
		defer e.mu.Unlock()
		e.all[r.URL.Path] = append(e.all[r.URL.Path], body...)
	}))
	t.Cleanup(server.Close)
	return e, server.URL
}

// of returns what was sent of a signal.
func (e *exported) of(signal string) []byte {
	e.mu.Lock()
	defer e.mu.Unlock()
	return bytes.Clone(e.all["/v1/"+signal])
}

// planted is the canaries that were put somewhere, by where.
type planted map[string]string

// word returns a text that is like any other, which nothing can recognise: only what is never recorded cannot leak.
func (p planted) word(where string) string { return p.plant(where, "zq"+strings.ToLower(rand.Text())) }

// email returns an address, which can be recognised.
func (p planted) email(where string) string {
	return p.plant(where, strings.ToLower(rand.Text())+"@"+strings.ToLower(rand.Text()[:8])+".example")
}

// key returns what looks like an API key.
func (p planted) key(where string) string { return p.plant(where, "sk-"+rand.Text()) }

// token returns a JSON web token.
func (p planted) token(where string) string {
	part := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
	return p.plant(where, part(`{"alg":"HS256"}`)+"."+part(`{"sub":"`+rand.Text()+`"}`)+"."+part(rand.Text()))
}

func (p planted) plant(where, text string) string {
	p[where+" ("+text[:2]+")"] = text
	return text
}

// mixed returns a text with one of each.
func (p planted) mixed(where string) string {
	return fmt.Sprintf("%s wrote %s with %s and %s", p.word(where), p.email(where), p.key(where), p.token(where))
}

// TestNothingLeaksIntoTelemetry puts canaries into all that others can say to the services, and looks for them in what the services
// tell of their work: traces, metrics and logs as a collector gets them, logs on stderr, and what is scraped.
func TestNothingLeaksIntoTelemetry(t *testing.T) {
	t.Parallel()
	for name, capture := range map[string]bool{"without content": false, "with content": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			leaks(t, capture)
		})
	}
}

func leaks(t *testing.T, capture bool) {
	t.Helper()
	srv := bustest.Start(t)
	said := planted{}
	models, collector := said.models(t), said.receiver(t)
	got, otlp := newExported(t)
	env := map[string]map[string]string{
		"generator":  {"OPENAI_API_KEY": said.key("an API key"), "OPENAI_BASE_URL": models},
		"embedder":   {"OPENAI_API_KEY": said.key("another API key"), "OPENAI_BASE_URL": models},
		"dispatcher": {"WEBHOOK_ALLOW_LOOPBACK": "true", "WEBHOOK_SEAL_KEYS": base64.StdEncoding.EncodeToString([]byte(rand.Text() + "123456"))},
	}
	told := tell(t, srv.URL(), otlp, capture, env)
	nc, err := nats.Connect(srv.URL())
	require.NoError(t, err)
	t.Cleanup(nc.Close)
	prompts := said.ask(t, nc)
	said.deliver(t, nc, collector)
	require.Eventually(t, func() bool { return bytes.Contains(got.of("traces"), []byte("POST")) }, process.Patience, 50*time.Millisecond)

	seen := told.stop(t, got)
	require.Contains(t, string(seen["traces"]), "chat ")
	require.Contains(t, string(seen["traces"]), "embeddings ")
	for where, canary := range said {
		word := strings.HasPrefix(canary, "zq")
		if capture && word && strings.HasPrefix(where, "content") {
			continue // it was asked for
		}
		for place, text := range seen {
			if word && strings.HasPrefix(where, "an error of") && strings.Contains(place, "log") {
				continue // what a provider says of its failure is for the operator, but for what can be recognised in it
			}
			at := bytes.Index(text, []byte(canary))
			assert(t, at < 0, "%s is in %s: …%.300q", where, place, text[max(at-200, 0):max(at, 0)])
		}
	}
	require.Equal(t, capture, bytes.Contains(seen["traces"], []byte(prompts)), "content is recorded if it is asked for, and not otherwise")
}

// telling are services that tell a collector all that they can of their work.
type telling struct {
	env     map[string]map[string]string
	running map[string]*process.Process
}

// tell starts services with their environments, and waits until they are ready.
func tell(t *testing.T, bus, collector string, capture bool, env map[string]map[string]string) telling {
	t.Helper()
	running := map[string]*process.Process{}
	for name, own := range env {
		maps.Copy(own, map[string]string{
			"NATS_URL": bus, "MLSDM_ADMIN_ADDR": process.FreeAddr(t), "MLSDM_LOG_LEVEL": "debug",
			"OTEL_EXPORTER_OTLP_ENDPOINT": collector, "OTEL_METRICS_EXPORTER": "otlp", "OTEL_LOGS_EXPORTER": "otlp", "OTEL_METRIC_EXPORT_INTERVAL": "500",
			"OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": strconv.FormatBool(capture),
		})
		running[name] = process.Start(t, programs.Path(t, name), "", own)
	}
	for _, own := range env {
		awaitReady(t, own["MLSDM_ADMIN_ADDR"])
	}
	return telling{env, running}
}

// stop stops the services, and returns what they have told, by where.
func (s telling) stop(t *testing.T, got *exported) map[string][]byte {
	t.Helper()
	seen := map[string][]byte{}
	for name, own := range s.env {
		seen["/metrics of "+name] = fetch(t, own["MLSDM_ADMIN_ADDR"], "metrics")
		s.running[name].Interrupt() // which sends what is left
		require.Zero(t, s.running[name].Exit())
		seen["the log of "+name] = []byte(s.running[name].Out.String() + s.running[name].Errs.String())
	}
	for _, signal := range []string{"traces", "metrics", "logs"} {
		seen[signal] = got.of(signal)
	}
	for where, text := range seen {
		require.NotEmpty(t, text, where)
	}
	return seen
}

// assert tells of all that is wrong, not of the first alone.
func assert(t *testing.T, ok bool, format string, args ...any) {
	t.Helper()
	if !ok {
		t.Errorf(format, args...)
	}
}

// models starts a provider of models whose answers and errors are full of canaries, and returns where it is.
func (p planted) models(t *testing.T) string {
	t.Helper()
	answer, reason, id := p.mixed("content: an answer"), p.mixed("an error of a provider"), p.email("the id of an answer")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // the sender went away
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("X-Request-Id", id)
		quoted, _ := json.Marshal(answer)       //nolint:errchkjson // a string
		quotedReason, _ := json.Marshal(reason) //nolint:errchkjson // a string
		switch {
		case bytes.Contains(body, []byte(`"model":"bad"`)):
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprintf(w, `{"error":{"message":%s,"type":"invalid_request_error"}}`, quotedReason)
		case strings.HasSuffix(r.URL.Path, "/embeddings"):
			fmt.Fprint(w, `{"object":"list","model":"m","data":[{"object":"embedding","index":0,"embedding":[0.6,0.8]}],"usage":{"prompt_tokens":1,"total_tokens":1}}`)
		default:
			fmt.Fprintf(w, `{"id":%q,"object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"finish_reason":"stop",`+
				`"message":{"role":"assistant","content":%s}}],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}`, id, quoted)
		}
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// receiver starts a receiver of webhooks whose address is a secret and whose answers are full of canaries, and returns where it is.
func (p planted) receiver(t *testing.T) string {
	t.Helper()
	answer := p.mixed("the answer of a receiver")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, answer, http.StatusServiceUnavailable)
	}))
	t.Cleanup(server.Close)
	return server.URL + "/" + p.word("the path of a receiver") + "?token=" + p.key("the query of a receiver")
}

// ask asks for answers and vectors, with canaries in all fields, and returns what stands in a prompt and can be recorded.
func (p planted) ask(t *testing.T, nc *nats.Conn) string {
	t.Helper()
	ask := func(subject, body string, fails bool) {
		m := nats.NewMsg(subject)
		m.Data = []byte(body)
		m.Header.Set("baggage", "user="+p.word("baggage"))
		m.Header.Set("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
		m.Header.Set("tracestate", "vendor="+p.word("the trace state"))
		m.Header.Set("X-"+p.word("the name of a header"), p.word("a header"))
		var reply *nats.Msg
		require.Eventually(t, func() bool { // a service that is ready may still be on its way to the subject
			var err error
			reply, err = nc.RequestMsgWithContext(within(t), m)
			return err == nil
		}, process.Patience, 20*time.Millisecond)
		require.Equal(t, fails, reply.Header.Get("Nats-Service-Error-Code") != "", "%s: %s", body, reply.Data)
	}
	quote := func(text string) string {
		b, err := json.Marshal(text)
		require.NoError(t, err)
		return string(b)
	}
	prompt := p.word("content: a prompt")
	for _, model := range []string{"openai/good", "openai/bad"} {
		ask("mlsdm.generate", fmt.Sprintf(`{"model":%q,"user":%s,"stop":[%s],"messages":[{"role":"system","content":%s},{"role":"user","content":%s,"name":"n"}]}`,
			model, quote(p.mixed("a user")), quote(p.email("a stop sequence")), quote(p.mixed("content: an instruction")),
			quote(prompt+" "+p.mixed("content: more of a prompt"))), model == "openai/bad")
		ask("mlsdm.embed", fmt.Sprintf(`{"model":%q,"input":[%s],"user":%s}`, model, quote(p.mixed("a text")), quote(p.mixed("a user of vectors"))), model == "openai/bad")
	}
	ask("mlsdm.generate", fmt.Sprintf(`{"model":"openai/%s","prompt":"x"}`, p.key("the name of a model")), false)
	ask("mlsdm.generate", fmt.Sprintf(`{"model":"nobody/%s","prompt":"x"}`, p.key("the name of no model")), true)
	ask("mlsdm.embed", `{"input": `+p.word("what is no JSON")+p.email("what is no JSON"), true)
	return prompt
}

// deliver has events with canaries in all fields delivered to a receiver, in vain.
func (p planted) deliver(t *testing.T, nc *nats.Conn, url string) {
	t.Helper()
	call := func(subject string, request any) {
		body, err := json.Marshal(request)
		require.NoError(t, err)
		var reply *nats.Msg
		require.Eventually(t, func() bool {
			reply, err = nc.RequestWithContext(within(t), subject, body)
			return err == nil
		}, process.Patience, 20*time.Millisecond)
		require.Empty(t, reply.Header.Get("Nats-Service-Error-Code"), "%s", reply.Data)
	}
	call("mlsdm.webhooks.endpoints.create", events.EndpointCreateRequest{Endpoint: events.EndpointSpec{
		ID: "shop", URL: url, Events: []string{"custom.>"}, Retry: []string{"10ms"}, Description: p.mixed("a description"),
		Headers: map[string]string{"X-Canary": p.word("a header of a receiver")}, Signing: []events.EndpointSigning{{Method: events.SignEd25519}},
	}})
	m := nats.NewMsg("mlsdm.events.custom.deploy")
	m.Header.Set("ce-specversion", "1.0")
	m.Header.Set("ce-id", p.key("the id of an event"))
	m.Header.Set("ce-type", "custom.deploy")
	m.Header.Set("ce-source", "/people/"+p.email("the source of an event"))
	m.Header.Set("ce-subject", p.email("the subject of an event"))
	m.Header.Set("ce-other", p.word("an extension of an event"))
	m.Header.Set("Content-Type", "application/json")
	m.Data = []byte(`{"text":"` + p.word("the data of an event") + p.email("the data of an event") + `"}`)
	require.NoError(t, nc.PublishMsg(m))
	require.NoError(t, nc.Publish("mlsdm.events.custom.deploy", []byte("{"+p.word("what is no event")+" "+p.email("what is no event"))))
	require.NoError(t, nc.Flush())
}
