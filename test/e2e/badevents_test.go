package e2e_test

import (
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// publication is one message on an event subject.
type publication struct {
	name    string
	subject string // below mlsdm.events.
	header  nats.Header
	body    string
}

// binary are the headers of an event in binary form, of which one is as given.
func binary(name, value string) nats.Header {
	h := nats.Header{"ce-specversion": {"1.0"}, "ce-id": {"1"}, "ce-source": {"/x"}, "ce-type": {"custom.bad"}}
	h[name] = []string{value}
	return h
}

// badEvents are what no reader can take for an event, or should not.
func badEvents() []publication {
	whole := nats.Header{"Content-Type": {"application/cloudevents+json"}}
	asJSON := nats.Header{"Content-Type": {"application/json"}}
	const x = "custom.bad"
	return []publication{
		{"bad UTF-8", x, nil, "\xff\xfe"},
		{"bad UTF-8 in JSON", x, nil, "{\"a\":\"\xc3\x28\"}"},
		{"2 MiB", x, nil, strings.Repeat("x", 2<<20)},
		{"2 MiB of JSON", x, asJSON, `{"a":"` + strings.Repeat("x", 2<<20) + `"}`},
		{"nested 100 deep", x, nil, strings.Repeat("[", 100) + strings.Repeat("]", 100)},
		{"nested for ever", x, nil, strings.Repeat(`{"a":`, 150_000)},
		{"JSON that is none", x, asJSON, `{"a":`},
		{"a media type that is none", x, nats.Header{"Content-Type": {"/;;"}}, `{}`},
		{"a batch", x, nats.Header{"Content-Type": {"application/cloudevents-batch+json"}}, `[]`},
		{"whole and no JSON", x, whole, `hello`},
		{"whole and empty", x, whole, ``},
		{"whole and a list", x, whole, `[]`},
		{"whole without specversion", x, whole, `{"id":"1","source":"/x","type":"custom.bad"}`},
		{"of another specversion", x, nil, `{"specversion":"0.3","id":"1","source":"/x","type":"custom.bad"}`},
		{"specversion a number", x, nil, `{"specversion":1.0,"id":"1","source":"/x","type":"custom.bad"}`},
		{"id a number", x, nil, `{"specversion":"1.0","id":1,"source":"/x","type":"custom.bad"}`},
		{"id too long", x, nil, `{"specversion":"1.0","id":"` + strings.Repeat("x", 200) + `","source":"/x","type":"custom.bad"}`},
		{"source no URI", x, nil, `{"specversion":"1.0","id":"1","source":"%zz","type":"custom.bad"}`},
		{"time no time", x, nil, `{"specversion":"1.0","id":"1","source":"/x","type":"custom.bad","time":"yesterday"}`},
		{"an extension that is an object", x, nil, `{"specversion":"1.0","id":"1","source":"/x","type":"custom.bad","mine":{}}`},
		{"data twice", x, nil, `{"specversion":"1.0","id":"1","source":"/x","type":"custom.bad","data":1,"data_base64":"MQ=="}`},
		{"data_base64 no base64", x, nil, `{"specversion":"1.0","id":"1","source":"/x","type":"custom.bad","data_base64":"?"}`},
		{"a type that contradicts", x, nil, `{"specversion":"1.0","id":"1","source":"/x","type":"custom.good"}`},
		{"a header type that contradicts", x, binary("ce-type", "custom.good"), `{}`},
		{"ce- headers without specversion", x, nats.Header{"ce-id": {"1"}}, `{}`},
		{"a ce- header with a control character", x, binary("ce-subject", "a%0Ab"), `{}`},
		{"a ce- header twice", x, binary("CE-ID", "2"), `{}`},
		{"a bad extension name", x, binary("ce-my_name", "x"), `{}`},
		{"a type of bad characters", "custom.b$d", nil, `{}`},
		{"a type not ASCII", "custom.bäd", nil, `{}`},
		{"a type too long", "custom." + strings.Repeat("x", 200), nil, `{}`},
		{"a message id too long", x, nats.Header{"Nats-Msg-Id": {strings.Repeat("x", 200)}}, `{}`},
	}
}

// oddEvents look strange and are legal.
func oddEvents() []publication {
	return []publication{
		{"a type that nobody knows", "custom.never.heard.of", nil, `{"a":1}`},
		{"no JSON", "custom.odd", nil, `hello {`},
		{"empty", "custom.odd", nil, ``},
		{"a number", "custom.odd", nil, `42`},
		{"null", "custom.odd", nil, `null`},
		{"binary data", "custom.odd", nats.Header{"Content-Type": {"application/octet-stream"}}, "\xff\x00\xfe"},
		{"nested 64 deep", "custom.odd", nil, strings.Repeat("[", 64) + strings.Repeat("]", 64)},
		{"unknown members", "custom.odd", nil, `{"specversion":"1.0","id":"odd","source":"/x","type":"custom.odd","mine":"x","data":{}}`},
		{"an id that is no token", "custom.odd", nats.Header{"Nats-Msg-Id": {"an id, with spaces & dots..."}}, `{}`},
		{"a ce- header that is not encoded", "custom.bad", binary("ce-subject", "100%"), `{}`},
		{"no trace", "custom.odd", nats.Header{"traceparent": {"00-zz"}}, `{}`},
	}
}

// TestBadEvents publishes what is no event. It lands in dead letters, whole and with the reason; what merely looks odd is
// delivered.
func TestBadEvents(t *testing.T) {
	t.Parallel()
	f := startFleet(t)
	dead := make(chan *nats.Msg, 100)
	_, err := f.nc.ChanSubscribe("mlsdm.deadletters.>", dead)
	require.NoError(t, err)
	require.NoError(t, f.nc.Flush())
	send := func(p publication) {
		header := p.header
		if header == nil {
			header = nats.Header{}
		}
		_, err := f.js.PublishMsg(within(t), &nats.Msg{Subject: "mlsdm.events." + p.subject, Header: header, Data: []byte(p.body)})
		require.NoError(t, err, p.name)
	}
	for _, p := range badEvents() {
		_, delivered := f.to.all()
		send(p)
		letter := receive(t, p.name, dead, delivered)
		require.Equal(t, "mlsdm.deadletters.events", letter.Subject, p.name)
		require.Equal(t, p.body, string(letter.Data), "%s: whole", p.name)
		require.NotEmpty(t, letter.Header.Get(events.HeaderDeadReason), p.name)
		require.Equal(t, string(events.CodeInvalidArgument), letter.Header.Get(events.HeaderDeadCode), p.name)
		require.Equal(t, "mlsdm.events."+p.subject, letter.Header.Get(events.HeaderDeadSubject), p.name)
		require.Equal(t, "MLSDM_EVENTS", letter.Header.Get(events.HeaderDeadStream), p.name)
		require.NotEmpty(t, letter.Header.Get(events.HeaderDeadSequence), p.name)
		for name, values := range p.header {
			if !strings.HasPrefix(name, "Nats-") {
				require.Equal(t, values, letter.Header[name], "%s: its headers too", p.name)
			}
		}
	}
	for _, p := range oddEvents() {
		send(p)
	}
	good := len(oddEvents())
	f.to.await(t, "odd events are events", func(hooks []hook) bool { return len(hooks) >= good })

	f.badDeliveries(t, dead)
	eventually(t, "the end of all deliveries", func() bool { return f.count(t, "MLSDM_DELIVERIES") == 0 && f.count(t, "MLSDM_WAITING") == 0 })
	require.Equal(t, len(badEvents())+len(badDeliveries()), f.count(t, "MLSDM_DEADLETTERS"), "every bad one once, and no other")
	hooks, _ := f.to.all()
	require.Len(t, hooks, good)
	f.requireWell(t)
}

// receive waits for a dead letter.
func receive(t *testing.T, name string, dead <-chan *nats.Msg, delivered <-chan struct{}) *nats.Msg {
	t.Helper()
	select {
	case letter := <-dead:
		return letter
	case <-delivered:
		require.Fail(t, "it was delivered", name)
	case <-time.After(patience):
		require.Fail(t, "it vanished", name)
	}
	return nil
}

// badDeliveries are what somebody put among the deliveries by hand.
func badDeliveries() []publication {
	return []publication{
		{"no event", "default", nil, `hello`},
		{"empty", "default", nil, ``},
		{"bad UTF-8", "default", nil, "\xff"},
		{"an attempt that is no number", "default", nats.Header{events.HeaderAttempt: {"x"}}, `{"specversion":"1.0","id":"1","source":"/x","type":"custom.x"}`},
		{"an id that is no token", "default", nats.Header{events.HeaderDelivery: {"a b"}}, `{"specversion":"1.0","id":"1","source":"/x","type":"custom.x"}`},
		{"no such endpoint", "nobody", nil, `{"specversion":"1.0","id":"1","source":"/x","type":"delivery.failed"}`},
	}
}

// badDeliveries sends them.
func (f *fleet) badDeliveries(t *testing.T, dead <-chan *nats.Msg) {
	t.Helper()
	_, delivered := f.to.all()
	for _, p := range badDeliveries() {
		_, err := f.js.PublishMsg(within(t), &nats.Msg{Subject: "mlsdm.deliveries.ready." + p.subject, Header: p.header, Data: []byte(p.body)})
		require.NoError(t, err, p.name)
		letter := receive(t, p.name, dead, delivered)
		fault := events.FaultInternal // what cannot be read is no receiver's fault, and no endpoint's
		if p.subject == "nobody" {
			fault = events.FaultEndpoint
		}
		require.Equal(t, "mlsdm.deadletters.deliveries."+fault+"."+p.subject, letter.Subject)
		require.Equal(t, p.body, string(letter.Data))
		require.NotEmpty(t, letter.Header.Get(events.HeaderDeadReason))
	}
}
