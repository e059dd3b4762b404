package e2e_test

import (
	"strings"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// badIDs are refused wherever an endpoint is named.
func badIDs() []bad {
	return []bad{
		invalid("nothing", `{}`), invalid("id a number", `{"id":5}`), invalid("id with a dot", `{"id":"a.b"}`), invalid("id a wildcard", `{"id":">"}`),
		invalid("id with a space", `{"id":"a b"}`), invalid("id too long", `{"id":"`+strings.Repeat("x", 65)+`"}`),
	}
}

// badSpecs are refused of a new endpoint, and of one that is changed.
func badSpecs() map[string]string {
	return map[string]string{
		"no scheme": `"url":"example.com"`, "ftp": `"url":"ftp://example.com"`, "loopback": `"url":"https://[::1]/"`, "metadata": `"url":"http://169.254.169.254/latest"`,
		"octal loopback": `"url":"https://0177.0.0.1/"`, "user info": `"url":"https://a:b@example.com"`, "a fragment": `"url":"https://example.com/#x"`,
		"url a number": `"url":5`, "a long url": `"url":"https://example.com/` + strings.Repeat("x", 3000) + `"`,
		"a bad pattern": `"events":["a..b"]`, "too many patterns": `"events":["a"` + strings.Repeat(`,"a"`, 100) + `]`, "events a text": `"events":"a"`,
		"a filter that does not parse": `"filter":"data.x >"`, "a filter that is no condition": `"filter":"1 + 1"`, "a long filter": `"filter":"` + strings.Repeat("a", 5000) + `"`,
		"an unknown format": `"format":"xml"`, "a header that is ours": `"headers":{"webhook-id":"x"}`, "a header with a line break": `"headers":{"X-A":"a\r\nX-B: b"}`,
		"a header with a bad name": `"headers":{"X A":"a"}`, "an unknown method": `"signing":[{"method":"v2"}]`, "a key that is no reference": `"signing":[{"key":"whsec_x"}]`,
		"a schedule that is none": `"retry":["soon"]`, "a negative wait": `"retry":["-1s"]`, "a wait of a year": `"retry":["9000h"]`, "a timeout that is none": `"timeout":"fast"`,
		"a long timeout": `"timeout":"1h"`, "no rate": `"rate_limit":{"per_second":0}`, "a negative rate": `"rate_limit":{"per_second":-1}`, "a rate without a number": `"rate_limit":{}`,
		"a negative concurrency": `"concurrency":-1`, "a fraction": `"concurrency":1.5`, "an unknown ordering": `"ordering":"some"`,
		"order and concurrency": `"ordering":"strict","concurrency":5`, "no certificate": `"tls":{"ca":"x"}`, "half a pair": `"tls":{"certificate":"x"}`,
		"an unknown field": `"urls":["https://example.com"]`,
	}
}

// endpointQuestions are those about endpoints.
func endpointQuestions() map[string]question {
	unknown := bad{name: "unknown id", body: `{"id":"nobody"}`, code: events.CodeNotFound}
	const good = `{"endpoint":{"id":"new","url":"https://example.com/hook","signing":[{"method":"v1a"}]},"dry_run":true}`
	create := append(badIDs()[:1:1], invalid("endpoint a text", `{"endpoint":"x"}`), invalid("no id", `{"endpoint":{"url":"https://example.com"}}`),
		bad{name: "one of the configuration", body: strings.Replace(good, `"new"`, `"default"`, 1), code: events.CodeFailedPrecondition},
		bad{name: "nobody to tell the secret", body: `{"endpoint":{"id":"new","url":"https://example.com"}}`, code: events.CodeInvalidArgument},
		bad{name: "a secret that is not for endpoints", body: `{"endpoint":{"id":"new","url":"https://example.com","signing":[{"key":"secret:openai_api_key"}]}}`, code: events.CodePermissionDenied},
		bad{name: "a setting of the dispatcher", body: `{"endpoint":{"id":"new","url":"https://example.com","signing":[{"method":"v1a"}],"headers":{"X-A":"env:WEBHOOK_SECRET"}}}`, code: events.CodePermissionDenied},
		bad{name: "another's setting", body: `{"endpoint":{"id":"new","url":"https://example.com","signing":[{"method":"v1a"}],"headers":{"X-A":"env:NATS_PASSWORD"}}}`, code: events.CodePermissionDenied},
	)
	for name, field := range badSpecs() {
		create = append(create, invalid(name, `{"endpoint":{"id":"new","signing":[{"method":"v1a"}],"url":"https://example.com",`+field+`},"dry_run":true}`))
	}
	static := bad{name: "one of the configuration", body: `{"id":"default"}`, code: events.CodeFailedPrecondition}
	return map[string]question{
		events.OpEndpointsList: {good: []string{`{}`, ``, `{"unknown":1}`, `{"limit":1,"after":"a"}`}, empty: true, bad: []bad{
			invalid("limit negative", `{"limit":-1}`), invalid("limit too large", `{"limit":100000}`), invalid("after a number", `{"after":1}`),
		}},
		events.OpEndpointsGet:    {good: []string{`{"id":"default"}`, `{"id":"default","unknown":1}`}, bad: append(badIDs(), unknown)},
		events.OpEndpointsCreate: {good: []string{good}, bad: create},
		events.OpEndpointsUpdate: {bad: append(badIDs(),
			bad{name: "unknown id", body: `{"id":"nobody","endpoint":{}}`, code: events.CodeNotFound},
			bad{name: "one of the configuration", body: `{"id":"default","endpoint":{}}`, code: events.CodeFailedPrecondition},
			invalid("overlap", `{"id":"nobody","endpoint":{},"overlap":"a while"}`))},
		events.OpEndpointsDelete: {bad: append(badIDs(), unknown, static)},
		events.OpEndpointsRotate: {bad: append(badIDs(), unknown, static, invalid("overlap", `{"id":"x","overlap":"-1s"}`), invalid("method", `{"id":"x","signing":{"method":"rsa"}}`))},
		events.OpEndpointsTest:   {bad: append(badIDs(), unknown)},
	}
}

// deliveryQuestions are those about deliveries.
func deliveryQuestions() map[string]question {
	filter := []bad{
		invalid("endpoint no id", `{"endpoint_id":"a.b"}`), invalid("status", `{"status":"lost"}`), invalid("fault", `{"fault":"yours"}`),
		invalid("since", `{"since":"yesterday"}`), invalid("since after until", `{"since":"2026-05-02T00:00:00Z","until":"2026-05-01T00:00:00Z"}`),
		invalid("limit", `{"limit":-1}`), invalid("limit too large", `{"limit":1001}`), invalid("pattern", `{"event_type":"a..b"}`),
		invalid("cursor", `{"cursor":"rubbish","dry_run":true}`),
	}
	return map[string]question{
		events.OpDeliveriesList: {good: []string{`{}`, ``, `{"status":"dead","unknown":1}`}, empty: true, bad: filter},
		events.OpDeliveriesGet: {bad: []bad{
			invalid("nothing", `{}`), invalid("id no token", `{"id":"a b"}`), {name: "unknown", body: `{"id":"0123"}`, code: events.CodeNotFound},
		}},
		events.OpDeliveriesReplay: {good: []string{`{"dry_run":true}`, `{"from":"events","to":"default","event_type":"nothing.at.all","dry_run":true}`}, bad: append(filter,
			invalid("nothing", `{}`), invalid("no token", `{"replay_id":"a b"}`), invalid("from", `{"from":"space","dry_run":true}`),
			invalid("to nobody in particular", `{"from":"events","dry_run":true}`), invalid("delivered", `{"status":"delivered","dry_run":true}`),
			bad{name: "to nobody", body: `{"to":"nobody","dry_run":true}`, code: events.CodeNotFound})},
	}
}
