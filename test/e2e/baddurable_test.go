package e2e_test

import (
	"fmt"
	"maps"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// durable is a request in the queue that must be answered with an error, and where its result will stand.
type durable struct {
	bad

	subject, result string
}

// TestBadDurableRequests stores everything bad as durable requests. Each is answered under its id, and none of them stays.
func TestBadDurableRequests(t *testing.T) {
	t.Parallel()
	f := startFleet(t)
	results, err := f.nc.SubscribeSync("mlsdm.results.>")
	require.NoError(t, err)
	require.NoError(t, f.nc.Flush())

	want := map[string]durable{}
	for _, d := range badDurables() {
		header := nats.Header{}
		maps.Copy(header, d.header)
		ack, err := f.js.PublishMsg(within(t), &nats.Msg{Subject: d.subject, Header: header, Data: []byte(d.body)})
		require.NoError(t, err, d.name)
		require.False(t, ack.Duplicate, d.name)
		if d.result == "" { // its id is none
			caller := events.Subjects{}.Caller(d.subject)
			d.result = events.Subjects{}.Result(caller, strconv.FormatUint(ack.Sequence, 10))
		}
		want[d.result] = d
	}
	total := len(want)
	for len(want) > 0 {
		m, err := results.NextMsg(patience)
		require.NoError(t, err, "without a result: %v", want)
		d, ok := want[m.Subject]
		require.True(t, ok, "a result that nobody asked for, or a second one: %s", m.Subject)
		delete(want, m.Subject)
		requireError(t, d.bad, m.Header, m.Data)
	}
	eventually(t, "the queue is empty", func() bool { return f.count(t, "MLSDM_REQUESTS") == 0 })
	require.Equal(t, total, f.count(t, "MLSDM_RESULTS"), "one result each, kept for who asks later")
	require.Zero(t, f.count(t, "MLSDM_DEADLETTERS"), "the caller's mistakes are answered, not kept for the operator")

	for _, subject := range []string{"mlsdm.requests.nothing", "mlsdm.as.alice.requests.nothing", "mlsdm.requests", "mlsdm.as.alice.requests"} {
		_, err := f.js.Publish(within(t), subject, []byte(`{}`), jetstream.WithRetryAttempts(0))
		require.ErrorIs(t, err, jetstream.ErrNoStreamResponse, "%s: what nobody works on is not stored", subject)
	}
	for kind, body := range map[string]string{events.KindEmbed: `{"input":"x"}`, events.KindGenerate: `{"prompt":"x"}`} {
		_, err := f.js.Publish(within(t), events.Subjects{}.Request("", kind), []byte(body), jetstream.WithMsgID("good-"+kind))
		require.NoError(t, err)
		m, err := results.NextMsg(patience)
		require.NoError(t, err)
		require.Equal(t, "mlsdm.results.default.good-"+kind, m.Subject)
		require.Empty(t, m.Header.Get(events.HeaderErrorCode), "%s", m.Data)
	}
	f.requireWell(t)
}

// badDurables makes durable requests of everything bad, for each kind and two callers.
func badDurables() []durable {
	var all []durable
	for kind, specific := range map[string][]bad{events.KindEmbed: badEmbeddings(events.MaxDurableInputs), events.KindGenerate: badChats()} {
		body := map[string]string{events.KindEmbed: `{"input":"x"}`, events.KindGenerate: `{"prompt":"x"}`}[kind]
		requests := append(badBodies(), specific...)
		requests = append(requests, badHeaders(body)...)
		requests = append(requests, badWishes(body)...)
		requests = append(requests, invalid("an empty body", ""))
		for _, caller := range []string{events.DefaultCaller, "alice"} {
			subject := events.Subjects{}.Request(caller, kind)
			for i, b := range requests {
				id := fmt.Sprintf("%s-%s-%d", caller, kind, i) // one id in all of the queue: the server drops the second of the same
				b.header = maps.Clone(b.header)
				if b.header == nil {
					b.header = nats.Header{}
				}
				b.header.Set(events.HeaderMsgID, id)
				all = append(all, durable{b, subject, events.Subjects{}.Result(caller, id)})
			}
			for _, id := range []string{"with.dots", "with space", "*", ">", strings.Repeat("x", 200), "Ω", "control\tcharacter"} {
				b := invalid("id "+id, body)
				b.header = nats.Header{events.HeaderMsgID: {id + "_" + caller + "_" + kind}}
				all = append(all, durable{b, subject, ""})
			}
			all = append(all, durable{invalid("no id, which is fine, and nothing else", `{}`), subject, ""})
		}
	}
	return all
}

// badWishes are wrong lifetimes of results.
func badWishes(body string) []bad {
	var all []bad
	for _, ttl := range []string{"soon", "0s", "-1h", "25h", "3600", time.Millisecond.String()} {
		all = append(all, bad{"ttl " + ttl, body, nats.Header{events.HeaderResultTTL: {ttl}}, events.CodeInvalidArgument})
	}
	return all
}
