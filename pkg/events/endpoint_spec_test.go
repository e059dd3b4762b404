package events_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

func TestEndpointSpecValidate(t *testing.T) {
	t.Parallel()
	long := func(n int) string { return strings.Repeat("x", n) }
	valid := []string{
		`{}`, `{"retry":["fast"]}`, `{"retry":["standard"]}`, `{"retry":["0s","1.5s","168h"]}`, `{"timeout":"5m"}`, `{"concurrency":1024}`,
		`{"rate_limit":{"per_second":0.001}}`, `{"rate_limit":{"per_second":100000,"burst":100000}}`, `{"ordering":"none","format":"mlsdm"}`,
		`{"signing":[{},{"method":"v1a"}]}`, `{"tls":{"ca":"x"}}`, `{"tls":{"certificate":"x","key":"env:WEBHOOK_K"}}`,
	}
	for _, text := range valid {
		spec := events.EndpointSpec{ID: "a", URL: "https://example.com"}
		wantNoError(t, json.Unmarshal([]byte(text), &spec))
		if err := spec.Validate(); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
	for text, word := range map[string]string{
		`{"id":""}`: "id", `{"id":"a b"}`: "id", `{"id":"` + long(65) + `"}`: "id", `{"url":""}`: "url", `{"url":"` + long(3000) + `"}`: "url",
		`{"description":"` + long(2000) + `"}`: "description", `{"metadata":{"` + long(200) + `":""}}`: "metadata", `{"metadata":{"a":"` + long(2000) + `"}}`: "metadata",
		`{"filter":"` + long(5000) + `"}`: "filter", `{"format":"xml"}`: "format", `{"headers":{"A":"` + long(5000) + `"}}`: "header",
		`{"signing":[{"method":"v2"}]}`: "signing", `{"signing":[{},{},{},{},{},{},{},{},{}]}`: "signing", `{"signing":[{"key":"` + long(2000) + `"}]}`: "signing",
		`{"retry":["soon"]}`: "retry", `{"retry":["-1s"]}`: "retry", `{"retry":["169h"]}`: "retry", `{"retry":["fast","1s"]}`: "retry",
		`{"retry":["` + strings.Repeat("0", 100) + `s"]}`: "retry", `{"timeout":"0s"}`: "timeout", `{"timeout":"6m"}`: "timeout", `{"timeout":"x"}`: "timeout",
		`{"timeout":"` + strings.Repeat("0", 100) + `1s"}`: "timeout", `{"rate_limit":{}}`: "per_second", `{"rate_limit":{"per_second":-1}}`: "per_second",
		`{"rate_limit":{"per_second":1e6}}`: "per_second", `{"rate_limit":{"per_second":1,"burst":-1}}`: "burst", `{"concurrency":-1}`: "concurrency",
		`{"concurrency":2000}`: "concurrency", `{"ordering":"some"}`: "ordering", `{"tls":{"key":"x"}}`: "tls", `{"tls":{"ca":"` + long(70000) + `"}}`: "tls",
		`{"tls":{"server_name":"` + long(300) + `"}}`: "tls",
	} {
		spec := events.EndpointSpec{ID: "a", URL: "https://example.com"}
		wantNoError(t, json.Unmarshal([]byte(text), &spec))
		wantError(t, spec.Validate(), events.CodeInvalidArgument, word)
	}
}

func TestReplayRequestValidate(t *testing.T) {
	t.Parallel()
	for text, word := range map[string]string{
		`{}`: "replay_id", `{"replay_id":"a b"}`: "replay_id", `{"dry_run":true,"from":"x"}`: "from", `{"dry_run":true,"limit":-1}`: "limit",
		`{"dry_run":true,"from":"events"}`: "to", `{"dry_run":true,"from":"events","to":"a","fault":"receiver"}`: "dead letters",
		`{"dry_run":true,"status":"delivered"}`: "events", `{"dry_run":true,"to":"a.b"}`: "id", `{"dry_run":true,"endpoint_id":"a b"}`: "id",
		`{"dry_run":true,"since":"2026-05-02T00:00:00Z","until":"2026-05-02T00:00:00Z"}`: "since",
	} {
		var r events.ReplayRequest
		wantNoError(t, json.Unmarshal([]byte(text), &r))
		wantError(t, r.Validate(), events.CodeInvalidArgument, word)
	}
	for _, text := range []string{`{"dry_run":true}`, `{"replay_id":"a"}`, `{"replay_id":"a","from":"events","to":"b","event_type":"custom.*"}`, `{"dry_run":true,"status":"dead","fault":"receiver","to":"b"}`} {
		var r events.ReplayRequest
		wantNoError(t, json.Unmarshal([]byte(text), &r))
		wantNoError(t, r.Validate())
	}
}
