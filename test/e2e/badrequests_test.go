package e2e_test

import (
	"encoding/json"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// bad is a request that must be refused.
type bad struct {
	name   string
	body   string
	header nats.Header
	code   events.Code
}

// invalid is a bad request of the most common sort.
func invalid(name, body string) bad {
	return bad{name: name, body: body, code: events.CodeInvalidArgument}
}

// badBodies are refused whatever is asked.
func badBodies() []bad {
	return []bad{
		invalid("not JSON", `{"model":`),
		invalid("no JSON at all", "hello there"),
		invalid("a list", `[1,2,3]`),
		invalid("a text", `"text"`),
		invalid("a number", `42`),
		invalid("white space", " \n\t "),
		invalid("two objects", `{} {}`),
		invalid("bad UTF-8", "{\"user\":\"\xff\xfe\"}"),
		invalid("bad UTF-8 outside of strings", "{}\x80"),
		invalid("NUL", "\x00"),
		invalid("a byte order mark", "\ufeff{}"),
		invalid("2 MiB", `{"user":"`+strings.Repeat("x", 2<<20)+`"}`),
		invalid("2 MiB of nothing", strings.Repeat(" ", 2<<20)),
		invalid("nested 100 deep", `{"user":`+strings.Repeat("[", 100)+strings.Repeat("]", 100)+`}`),
		invalid("nested for ever", strings.Repeat(`{"a":`, 150_000)),
		invalid("NaN", `{"user":NaN}`),
		invalid("a lone surrogate in a number", `{"user":1e}`),
	}
}

// badHeaders are refused whatever is asked, and however well.
func badHeaders(body string) []bad {
	past := time.Now().Add(-time.Hour).UTC().Format(time.RFC3339)
	var all []bad
	for _, h := range []struct {
		header, value string
		code          events.Code
	}{
		{events.HeaderDeadline, "tomorrow", events.CodeInvalidArgument},
		{events.HeaderDeadline, "1767225600", events.CodeInvalidArgument},
		{events.HeaderDeadline, past, events.CodeDeadlineExceeded},
		{events.HeaderTimeoutMS, "1s", events.CodeInvalidArgument},
		{events.HeaderTimeoutMS, "0", events.CodeInvalidArgument},
		{events.HeaderTimeoutMS, "-5", events.CodeInvalidArgument},
		{events.HeaderTimeoutMS, "1e3", events.CodeInvalidArgument},
		{events.HeaderTimeoutMS, "99999999999999999999", events.CodeInvalidArgument},
		{strings.ToLower(events.HeaderTimeoutMS), "soon", events.CodeInvalidArgument},
	} {
		all = append(all, bad{h.header + " " + h.value, body, nats.Header{h.header: {h.value}}, h.code})
	}
	return all
}

// question is what an operation understands, and what it alone must refuse.
type question struct {
	good  []string
	empty bool // an empty body is a good one
	bad   []bad
}

// questions has an entry for every operation of the catalogue. The key is one to which a secret could be sealed.
func questions(xkey string) map[string]question {
	none := question{good: []string{`{}`, ``, `{"unknown":1}`}, empty: true}
	all := map[string]question{
		events.OpEmbed: {
			good: []string{`{"input":"hello"}`, `{"model":"local/hash-384","input":["a","b"],"encoding_format":"base64"}`, `{"input":"x","unknown":[{}]}`},
			bad:  badEmbeddings(events.MaxInputs),
		},
		events.OpEmbedJob: {bad: []bad{
			invalid("nothing", `{}`), invalid("request_id a number", `{"request_id":5}`), invalid("request_id no token", `{"request_id":"a.b"}`),
			invalid("request_id a wildcard", `{"request_id":">"}`), invalid("request_id too long", `{"request_id":"`+strings.Repeat("x", 1000)+`"}`),
			{name: "unknown request", body: `{"request_id":"nobodys"}`, code: events.CodeNotFound},
		}},
		events.OpEmbedVectors: {bad: []bad{
			invalid("nothing", `{}`), invalid("name a number", `{"name":5}`), invalid("offset a text", `{"name":"x","offset":"0"}`),
			invalid("offset below zero", `{"name":"x","offset":-1}`),
			{name: "unknown name", body: `{"name":"nobodys"}`, code: events.CodeNotFound},
			{name: "a name of another's", body: `{"name":"somebody.r1.AAAA"}`, code: events.CodeNotFound},
			{name: "a long name", body: `{"name":"` + strings.Repeat("x", 1000) + `"}`, code: events.CodeNotFound},
			{name: "a wild name", body: `{"name":"default.>.*"}`, code: events.CodeNotFound},
		}},
		events.OpGenerate: {good: []string{`{"prompt":"hello"}`, `{"messages":[{"role":"user","content":"hi"}]}`}, bad: badChats()},
		events.OpModels:   {good: none.good, empty: true, bad: []bad{invalid("provider a number", `{"provider":5}`), invalid("no object", `[]`)}},
		events.OpCIStatus: {good: none.good, empty: true, bad: badCIStatus()},
		events.OpCICheck:  {good: none.good, empty: true, bad: badCIStatus()},
		events.OpCIHistory: {good: []string{`{"repository":"neuron7x/mlsdm"}`, `{"repository":"neuron7x/mlsdm","unknown":1}`}, bad: []bad{
			invalid("nothing", `{}`), invalid("repository a number", `{"repository":5}`), invalid("limit below zero", `{"repository":"a/b","limit":-1}`),
			invalid("repository too long", `{"repository":"`+strings.Repeat("x", 1000)+`"}`),
			{name: "unknown repository", body: `{"repository":"nobody/nothing"}`, code: events.CodeNotFound},
		}},
		events.OpCIRecover: {bad: []bad{
			invalid("nothing", `{}`), invalid("repository a list", `{"repository":[]}`), invalid("dry_run a text", `{"repository":"a/b","dry_run":"yes"}`),
			{name: "unknown repository", body: `{"repository":"nobody/nothing"}`, code: events.CodeNotFound},
		}},
		events.OpEndpointsGet: {good: []string{`{"id":"default"}`, `{"id":"default","unknown":1}`}, bad: []bad{
			invalid("nothing", `{}`), invalid("id a number", `{"id":5}`), invalid("id no token", `{"id":"a.b"}`),
			invalid("id a wildcard", `{"id":">"}`), invalid("id too long", `{"id":"`+strings.Repeat("x", 1000)+`"}`),
			{name: "unknown id", body: `{"id":"nobody"}`, code: events.CodeNotFound},
		}},
		events.OpSecretsGet: {bad: []bad{
			{name: "a name that is not allowed", body: `{"name":"anything","nonce":"sixteen-or-more-characters","recipient_key":"` + xkey + `"}`, code: events.CodePermissionDenied},
			invalid("no nonce", `{"name":"anything","recipient_key":"`+xkey+`"}`),
			invalid("a name of bad characters", `{"name":"../x","recipient_key":"`+xkey+`"}`),
			invalid("nothing", `{}`), invalid("name a number", `{"name":5}`), invalid("key a list", `{"name":"x","recipient_key":[]}`),
			invalid("no key", `{"name":"openai_api_key"}`), invalid("no xkey", `{"name":"openai_api_key","recipient_key":"XABC"}`),
		}},
		events.OpSecretsList: {good: none.good, empty: true, bad: []bad{
			invalid("limit a text", `{"limit":"x"}`), invalid("limit below zero", `{"limit":-1}`), invalid("limit too large", `{"limit":1000000}`),
		}},
		events.OpSecretsRefresh: {bad: []bad{
			{name: "a name that is not allowed", body: `{"name":"anything"}`, code: events.CodePermissionDenied},
			invalid("nothing", `{}`), invalid("name a number", `{"name":5}`), invalid("a name of bad characters", `{"name":"../x"}`),
		}},
	}
	maps.Copy(all, endpointQuestions())
	maps.Copy(all, deliveryQuestions())
	return all
}

// badEmbeddings are refused by embed, at both doors, of which each takes so many texts at the most.
func badEmbeddings(most int) []bad {
	return []bad{
		invalid("nothing", `{}`),
		invalid("null", `null`),
		invalid("input null", `{"input":null}`),
		invalid("input a number", `{"input":5}`),
		invalid("input an object", `{"input":{"text":"x"}}`),
		invalid("input an empty text", `{"input":""}`),
		invalid("input an empty list", `{"input":[]}`),
		invalid("input with a number", `{"input":["a",5]}`),
		invalid("input with an empty text", `{"input":["a",""]}`),
		invalid("too many inputs", `{"input":["x"`+strings.Repeat(`,"x"`, most)+`]}`),
		invalid("model a number", `{"model":7,"input":"x"}`),
		{name: "model without a provider", body: `{"model":"hash-384","input":"x"}`, code: events.CodeNotFound},
		invalid("dimensions negative", `{"input":"x","dimensions":-1}`),
		invalid("dimensions a fraction", `{"input":"x","dimensions":1.5}`),
		invalid("dimensions huge", `{"input":"x","dimensions":1e30}`),
		invalid("encoding_format", `{"input":"x","encoding_format":"hex"}`),
		invalid("encoding_format a number", `{"input":"x","encoding_format":1}`),
		{name: "token ids", body: `{"input":[1,2,3]}`, code: events.CodeUnsupported},
		{name: "lists of token ids", body: `{"input":[[1],[2,3]]}`, code: events.CodeUnsupported},
		invalid("token ids and a text", `{"input":[1,"x"]}`),
		invalid("lists of token ids and a text", `{"input":[[1],"x"]}`),
		invalid("a text of no token ids", `{"input":[[1],[]]}`),
		invalid("a token id below 0", `{"input":[-1]}`),
		invalid("a token id that is a fraction", `{"input":[1.5]}`),
		invalid("a token id that is too large", `{"input":[[2147483648]]}`),
		{name: "unknown model", body: `{"model":"local/nothing","input":"x"}`, code: events.CodeNotFound},
		{name: "unknown provider", body: `{"model":"nobody/hash-384","input":"x"}`, code: events.CodeNotFound},
	}
}

// badChats are refused by generate, at both doors.
func badChats() []bad {
	return []bad{
		invalid("nothing", `{}`),
		invalid("null", `null`),
		invalid("prompt an object", `{"prompt":{}}`),
		invalid("prompt and messages", `{"prompt":"x","messages":[{"role":"user","content":"x"}]}`),
		invalid("messages an object", `{"messages":{"role":"user","content":"x"}}`),
		invalid("messages empty", `{"messages":[]}`),
		invalid("no role", `{"messages":[{"content":"x"}]}`),
		invalid("unknown role", `{"messages":[{"role":"wizard","content":"x"}]}`),
		invalid("content a number", `{"messages":[{"role":"user","content":5}]}`),
		invalid("content parts without a type", `{"messages":[{"role":"user","content":[{}]}]}`),
		invalid("no user", `{"messages":[{"role":"system","content":"x"}]}`),
		invalid("stream a text", `{"prompt":"x","stream":"yes"}`),
		invalid("temperature", `{"prompt":"x","temperature":3}`),
		invalid("top_p", `{"prompt":"x","top_p":0}`),
		invalid("max_tokens", `{"prompt":"x","max_tokens":0}`),
		invalid("n", `{"prompt":"x","n":0}`),
		invalid("stop", `{"prompt":"x","stop":[1]}`),
		invalid("five stops", `{"prompt":"x","stop":["1","2","3","4","5"]}`),
		{name: "model without a provider", body: `{"model":"echo","prompt":"x"}`, code: events.CodeNotFound},
		{name: "unknown model", body: `{"model":"local/nothing","prompt":"x"}`, code: events.CodeNotFound},
		{name: "unknown model, streamed", body: `{"model":"local/nothing","prompt":"x","stream":true}`, code: events.CodeNotFound},
		{name: "unknown provider", body: `{"model":"nobody/echo","prompt":"x"}`, code: events.CodeNotFound},
		{name: "unknown field", body: `{"prompt":"x","unknown":1}`, code: events.CodeUnsupported},
		{name: "tools", body: `{"prompt":"x","tools":[{"type":"function","function":{"name":"f"}}]}`, code: events.CodeUnsupported},
		{name: "an image", body: `{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"http://x"}}]}]}`, code: events.CodeUnsupported},
	}
}

// TestBadRequests sends everything bad to every interactive subject of the catalogue, under both of its forms.
func TestBadRequests(t *testing.T) {
	t.Parallel()
	f := startFleet(t)
	keys, err := nkeys.CreateCurveKeys()
	require.NoError(t, err)
	xkey, err := keys.PublicKey()
	require.NoError(t, err)
	table := questions(xkey)
	for _, op := range events.Operations() {
		q, ok := table[op.Name]
		require.True(t, ok, "what is bad input to %s?", op.Name)
		if !f.serves(op.Service) {
			continue
		}
		callers := []string{events.DefaultCaller, "alice", "caller-of_64-bytes" + strings.Repeat("x", 46)}
		if op.CallerOnly {
			callers = callers[1:]
		}
		for _, caller := range callers {
			subject := events.Subjects{}.Interactive(caller, op.Name)
			f.refuse(t, subject, q)
		}
	}
	f.requireWell(t)
	for _, subject := range []string{"mlsdm.nothing", "mlsdm.as.alice.nothing", "mlsdm.as.embed", "mlsdm.webhooks.endpoints"} {
		_, err := f.nc.Request(subject, []byte(`{}`), patience)
		require.ErrorIs(t, err, nats.ErrNoResponders, "%s: who asks what there is not hears so at once", subject)
	}
}

// refuse sends everything bad to a subject, and after that something good.
func (f *fleet) refuse(t *testing.T, subject string, q question) {
	t.Helper()
	all := append(badBodies(), q.bad...)
	body := `{}`
	if len(q.good) > 0 {
		body = q.good[0]
	}
	all = append(all, badHeaders(body)...)
	if !q.empty {
		all = append(all, invalid("an empty body", ""))
	}
	for _, b := range all {
		msg := &nats.Msg{Subject: subject, Header: b.header, Data: []byte(b.body)}
		b.name = subject + ": " + b.name
		require.NoError(t, f.nc.PublishMsg(msg), "%s: without a reply subject", b.name)
		answer, err := f.nc.RequestMsg(msg, patience)
		require.NoError(t, err, b.name)
		requireError(t, b, answer.Header, answer.Data)
	}
	for _, good := range q.good {
		answer, err := f.nc.RequestMsg(&nats.Msg{Subject: subject, Data: []byte(good), Header: nats.Header{"traceparent": {"00-zz"}}}, patience)
		require.NoError(t, err, "%s: %s", subject, good)
		require.Empty(t, answer.Header.Get(events.HeaderErrorCode), "%s: %s: %s", subject, good, answer.Data)
		require.True(t, json.Valid(answer.Data), "%s: %s", subject, good)
	}
}

// requireError checks a reply that reports an error: its code, in the header and in the body, and nothing that should not be there.
func requireError(t *testing.T, b bad, header nats.Header, body []byte) {
	t.Helper()
	require.Equal(t, string(b.code), header.Get(events.HeaderErrorCode), "%s: %s", b.name, body)
	text := header.Get(events.HeaderError)
	require.NotEmpty(t, text, b.name)
	require.NotContains(t, text, "\n", b.name)
	var reply struct {
		Error struct {
			Code      events.Code `json:"code"`
			Message   string      `json:"message"`
			Retryable *bool       `json:"retryable"`
		} `json:"error"`
	}
	require.NoError(t, json.Unmarshal(body, &reply), "%s: %s", b.name, body)
	require.Equal(t, b.code, reply.Error.Code, b.name)
	require.NotEmpty(t, reply.Error.Message, b.name)
	require.NotNil(t, reply.Error.Retryable, b.name)
	require.Equal(t, b.code.Retryable(), *reply.Error.Retryable, b.name)
	require.Less(t, len(body), 4<<10, "%s: an error does not repeat the request", b.name)
}

// badCIStatus are questions about CI health that cannot be answered.
func badCIStatus() []bad {
	return []bad{
		invalid("repository a number", `{"repository":5}`), invalid("health no word of ours", `{"health":"ill"}`),
		invalid("limit below zero", `{"limit":-1}`), invalid("limit too large", `{"limit":100000}`),
		invalid("branch too long", `{"branch":"`+strings.Repeat("x", 1000)+`"}`),
	}
}
