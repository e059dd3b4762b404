package events_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

func TestCodes(t *testing.T) {
	t.Parallel()
	retryable := map[events.Code]bool{events.CodeRateLimited: true, events.CodeUnavailable: true, events.CodeDeadlineExceeded: true}
	seen := map[events.Code]bool{}
	for _, code := range events.Codes() {
		wantEqual(t, string(code)+" known", code.Known(), true)
		wantEqual(t, string(code)+" retryable", code.Retryable(), retryable[code])
		wantEqual(t, string(code)+" seen before", seen[code], false)
		seen[code] = true
	}
	wantEqual(t, "number of codes", len(seen), 12)
	for _, code := range []events.Code{"", "INTERNAL", "nonsense", "400"} {
		wantEqual(t, string(code)+" known", code.Known(), false)
		wantEqual(t, string(code)+" retryable", code.Retryable(), false)
	}
}

func TestAsErrorAndCodeOf(t *testing.T) {
	t.Parallel()
	own := events.Errorf(events.CodeNotFound, "no model %q", "x")
	for name, tc := range map[string]struct {
		err       error
		code      events.Code
		message   string
		retryable bool
	}{
		"own":             {own, events.CodeNotFound, `no model "x"`, false},
		"wrapped":         {fmt.Errorf("secret stays here: %w", own), events.CodeNotFound, `no model "x"`, false},
		"joined":          {errors.Join(io.EOF, own), events.CodeNotFound, `no model "x"`, false},
		"deadline":        {context.DeadlineExceeded, events.CodeDeadlineExceeded, "the deadline passed before the work was done", true},
		"canceled":        {fmt.Errorf("x: %w", context.Canceled), events.CodeCanceled, "the work was canceled before it was done", false},
		"unknown":         {errors.New("password is hunter2"), events.CodeInternal, "internal error; the service's log has the cause", false},
		"coded over ctx":  {events.Errorf(events.CodeUnavailable, "x: %w", context.Canceled), events.CodeUnavailable, "x: context canceled", true},
		"retryable codes": {events.Errorf(events.CodeRateLimited, "slow down"), events.CodeRateLimited, "slow down", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := events.AsError(tc.err)
			wantEqual(t, "code", e.Code, tc.code)
			wantEqual(t, "CodeOf", events.CodeOf(tc.err), tc.code)
			wantEqual(t, "message", e.Message, tc.message)
			wantEqual(t, "retryable", e.Retryable, tc.retryable)
			if e != own && !errors.Is(e, tc.err) && !errors.As(tc.err, new(*events.Error)) {
				t.Fatal("the cause is lost")
			}
		})
	}
	if events.AsError(nil) != nil || events.CodeOf(nil) != "" {
		t.Fatal("nil is no error")
	}
	if cause := events.Errorf(events.CodeInternal, "reading: %w", io.EOF); !errors.Is(cause, io.EOF) {
		t.Fatal("%w sets the cause")
	}
	wantEqual(t, "text", (&events.Error{Code: "x", Message: "m", Provider: "openai"}).Error(), "x: openai: m")
	wantEqual(t, "text", (&events.Error{Code: "x", Message: "m"}).Error(), "x: m")
}

func TestErrorCrossesTheBus(t *testing.T) {
	t.Parallel()
	for name, e := range map[string]*events.Error{
		"all":         {Code: events.CodeRateLimited, Message: "slow down", Retryable: true, RetryAfter: 1500 * time.Millisecond, Provider: "openai"},
		"plain":       {Code: events.CodeInvalidArgument, Message: "input is empty"},
		"retryable":   {Code: events.CodeInternal, Message: "once more", Retryable: true},
		"odd text":    {Code: events.CodeInternal, Message: "line\r\nNats-Service-Error-Code: ok\x00 \"quoted\" <é> \u2028"},
		"later code":  {Code: "quota_spent", Message: "of a later version", Retryable: true},
		"empty text":  {Code: events.CodeCanceled},
		"long text":   {Code: events.CodeInternal, Message: strings.Repeat("é", 5000)},
		"longer wait": {Code: events.CodeUnavailable, Message: "m", Retryable: true, RetryAfter: 24 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			header, body := events.EncodeError(fmt.Errorf("context: %w", e))
			for name, values := range header {
				if len(values) != 1 || strings.ContainsAny(values[0], "\r\n\x00") || len(values[0]) > 512 {
					t.Fatalf("the header %s: %q", name, values)
				}
			}
			for _, fold := range []func(string) string{strings.ToLower, strings.ToUpper, func(s string) string { return s }} {
				folded := map[string][]string{}
				for name, values := range header {
					folded[fold(name)] = values
				}
				got := events.DecodeError(folded, body)
				if got == nil || *got != *e {
					t.Fatalf("got %+v, want %+v", got, e)
				}
			}
		})
	}
}

func TestEncodeErrorHidesWhatIsNotCoded(t *testing.T) {
	t.Parallel()
	header, body := events.EncodeError(errors.New("dial db: password hunter2"))
	if strings.Contains(string(body)+fmt.Sprint(header), "hunter2") {
		t.Fatalf("the cause crossed the bus: %s %v", body, header)
	}
	_, body = events.EncodeError(&events.Error{Code: events.CodeInternal, Message: "m", Err: errors.New("hunter2")})
	if strings.Contains(string(body), "hunter2") {
		t.Fatalf("the cause crossed the bus: %s", body)
	}
}

func TestEncodeErrorAlwaysHasACode(t *testing.T) {
	t.Parallel()
	header, body := events.EncodeError(&events.Error{Message: "m", RetryAfter: -time.Second})
	got := events.DecodeError(header, body)
	if got == nil || got.Code != events.CodeInternal || got.RetryAfter != 0 {
		t.Fatalf("an error without a code was taken for a success, or its wait is negative: %+v", got)
	}
}

func TestDecodeError(t *testing.T) {
	t.Parallel()
	body := func(code string) []byte {
		b, err := json.Marshal(events.ErrorReply{Error: events.ErrorBody{Code: events.Code(code), Message: "body", Retryable: true}})
		wantNoError(t, err)
		return b
	}
	header := func(code string) map[string][]string {
		return map[string][]string{"nats-service-error-code": {code}, "Nats-Service-Error": {"header"}}
	}
	for name, tc := range map[string]struct {
		header    map[string][]string
		body      []byte
		code      events.Code
		message   string
		retryable bool
		wait      time.Duration
	}{
		"ours":               {header("unavailable"), body("unavailable"), events.CodeUnavailable, "body", true, 0},
		"headers only":       {header("not_found"), nil, events.CodeNotFound, "header", false, 0},
		"later code":         {header("quota_spent"), body("quota_spent"), "quota_spent", "body", true, 0},
		"400":                {header("400"), nil, events.CodeInvalidArgument, "header", false, 0},
		"401":                {header("401"), nil, events.CodeUnauthenticated, "header", false, 0},
		"403":                {header("403"), nil, events.CodePermissionDenied, "header", false, 0},
		"404":                {header("404"), nil, events.CodeNotFound, "header", false, 0},
		"408":                {header("408"), nil, events.CodeDeadlineExceeded, "header", true, 0},
		"429":                {header("429"), nil, events.CodeRateLimited, "header", true, 0},
		"500":                {header("500"), []byte("<html>"), events.CodeInternal, "header", false, 0},
		"503":                {header("503"), nil, events.CodeUnavailable, "header", true, 0},
		"504":                {header("504"), nil, events.CodeDeadlineExceeded, "header", true, 0},
		"words":              {header("whatever"), nil, events.CodeInternal, "header", false, 0},
		"foreign body":       {header("429"), []byte(`{"error":{"code":"too_many","message":"body"}}`), events.CodeRateLimited, "header", true, 0},
		"numeric body":       {header("503"), []byte(`{"error":{"code":503,"message":"body"}}`), events.CodeUnavailable, "header", true, 0},
		"error is a text":    {header("503"), []byte(`{"error":"down"}`), events.CodeUnavailable, "header", true, 0},
		"negative wait":      {header("internal"), []byte(`{"error":{"code":"internal","message":"body","retry_after_ms":-5}}`), events.CodeInternal, "body", false, 0},
		"wait beyond reason": {header("internal"), []byte(`{"error":{"code":"internal","message":"body","retry_after_ms":9223372036854775807}}`), events.CodeInternal, "body", false, 24 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := events.DecodeError(tc.header, tc.body)
			if got == nil {
				t.Fatal("the error was taken for a success")
			}
			want := events.Error{Code: tc.code, Message: tc.message, Retryable: tc.retryable, RetryAfter: tc.wait}
			wantEqual(t, "error", *got, want)
		})
	}
	for name, header := range map[string]map[string][]string{
		"no header":    nil,
		"other header": {"Content-Type": {"application/json"}},
		"empty code":   {events.HeaderErrorCode: {""}},
		"no value":     {events.HeaderErrorCode: {}},
	} {
		if got := events.DecodeError(header, body("internal")); got != nil {
			t.Fatalf("%s: a reply that is no error was taken for one: %v", name, got)
		}
	}
}

func TestHeaderValue(t *testing.T) {
	t.Parallel()
	header := map[string][]string{"A-b": {"exact", "second"}, "a-B": {"other"}, "x-y": {"1"}, "X-Y": {"2"}, "none": {}}
	for range 20 { // maps have no order, answers must
		wantEqual(t, "exact case", events.HeaderValue(header, "A-b"), "exact")
		wantEqual(t, "another case", events.HeaderValue(header, "a-b"), "exact")
		wantEqual(t, "two cases", events.HeaderValue(header, "x-Y"), "2")
		wantEqual(t, "no value", events.HeaderValue(header, "none"), "")
		wantEqual(t, "absent", events.HeaderValue(header, "absent"), "")
		wantEqual(t, "nil", events.HeaderValue(nil, "absent"), "")
	}
}
