package llmtest

import (
	"net/http"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// statuses are the failures that are the same everywhere: what a proxy or a broken server answers.
func (d *Dialect) statuses() []Failing {
	said := d.Error("it says why")
	return []Failing{
		{Name: "400", Status: 400, Body: said, Class: llm.ClassCaller, Code: events.CodeInvalidArgument, Says: "it says why"},
		{Name: "401", Status: 401, Body: said, Class: llm.ClassKey, Code: events.CodeUnauthenticated},
		{Name: "402", Status: 402, Body: said, Class: llm.ClassQuota, Code: events.CodeRateLimited},
		{Name: "403", Status: 403, Body: said, Class: llm.ClassKey, Code: events.CodePermissionDenied},
		{Name: "404", Status: 404, Body: said, Class: llm.ClassModel, Code: events.CodeNotFound},
		{Name: "408", Status: 408, Body: said, Class: llm.ClassTimeout, Code: events.CodeDeadlineExceeded, Retryable: true},
		{Name: "409", Status: 409, Body: said, Class: llm.ClassProvider, Code: events.CodeUnavailable, Retryable: true},
		{Name: "413", Status: 413, Body: said, Class: llm.ClassCaller, Code: events.CodeInvalidArgument},
		{Name: "422", Status: 422, Body: said, Class: llm.ClassCaller, Code: events.CodeInvalidArgument},
		{Name: "429", Status: 429, Body: said, Class: llm.ClassLimit, Code: events.CodeRateLimited, Retryable: true},
		{
			Name: "429 with Retry-After", Status: 429, Body: said, Header: []string{"Retry-After: 300"},
			Class: llm.ClassLimit, Code: events.CodeRateLimited, Retryable: true, RetryAfter: 5 * time.Minute,
		},
		{
			Name: "503 with a date", Status: 503, Body: said, Header: []string{"Retry-After: " + time.Now().Add(time.Hour).UTC().Format(http.TimeFormat)},
			Class: llm.ClassProvider, Code: events.CodeUnavailable, Retryable: true, RetryAfter: time.Hour,
		},
		{Name: "500", Status: 500, Body: said, Class: llm.ClassProvider, Code: events.CodeUnavailable, Retryable: true},
		{Name: "501", Status: 501, Body: said, Class: llm.ClassUnsupported, Code: events.CodeUnsupported},
		{
			Name: "502 with a page", Status: 502, Body: "<html>secret page</html>", Header: []string{"Content-Type: text/html"},
			Class: llm.ClassProvider, Code: events.CodeUnavailable, Retryable: true, Says: "Bad Gateway",
		},
		{
			Name: "503 with text", Status: 503, Body: "upstream\nconnect error", Header: []string{"Content-Type: text/plain"},
			Class: llm.ClassProvider, Code: events.CodeUnavailable, Retryable: true, Says: "upstream connect error",
		},
		{Name: "504", Status: 504, Body: said, Class: llm.ClassTimeout, Code: events.CodeDeadlineExceeded, Retryable: true},
		{Name: "529", Status: 529, Body: said, Class: llm.ClassProvider, Code: events.CodeUnavailable, Retryable: true},
		{Name: "an error without a body", Status: 500, Class: llm.ClassProvider, Code: events.CodeUnavailable, Retryable: true},
		{Name: "half an error", Status: 500, Body: said[:len(said)/2], Class: llm.ClassProvider, Code: events.CodeUnavailable, Retryable: true},
		{Name: "an error that is a list", Status: 400, Body: `[1]`, Class: llm.ClassCaller, Code: events.CodeInvalidArgument},
		{Name: "204", Status: 204, Class: llm.ClassAnswer, Code: events.CodeFailedPrecondition},
		{Name: "201", Status: 201, Body: said, Class: llm.ClassAnswer, Code: events.CodeFailedPrecondition},
		{
			Name: "307", Status: 307, Header: []string{"Location: http://127.0.0.1:1/elsewhere"},
			Class: llm.ClassAnswer, Code: events.CodeFailedPrecondition, Says: "redirect",
		},
	}
}
