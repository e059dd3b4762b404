package llm_test

import (
	"context"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

func TestFailure(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status    int
		reasons   []string
		code      events.Code
		retryable bool
	}{
		{400, nil, events.CodeInvalidArgument, false},
		{400, []string{"content_filter"}, events.CodeContentRejected, false},
		{401, nil, events.CodeUnauthenticated, false},
		{402, nil, events.CodeRateLimited, false},
		{403, nil, events.CodePermissionDenied, false},
		{404, nil, events.CodeNotFound, false},
		{408, nil, events.CodeDeadlineExceeded, true},
		{409, nil, events.CodeUnavailable, true},
		{410, nil, events.CodeNotFound, false},
		{413, nil, events.CodeInvalidArgument, false},
		{418, nil, events.CodeInvalidArgument, false},
		{422, nil, events.CodeInvalidArgument, false},
		{424, nil, events.CodeUnavailable, true},
		{429, nil, events.CodeRateLimited, true},
		{429, []string{"requests", "rate_limit_exceeded"}, events.CodeRateLimited, true},
		{429, []string{"insufficient_quota", "insufficient_quota"}, events.CodeRateLimited, false},
		{429, []string{"", "credit_balance_exhausted"}, events.CodeRateLimited, false},
		{499, nil, events.CodeUnavailable, true},
		{500, nil, events.CodeUnavailable, true},
		{501, nil, events.CodeUnsupported, false},
		{503, nil, events.CodeUnavailable, true},
		{504, nil, events.CodeDeadlineExceeded, true},
		{529, nil, events.CodeUnavailable, true},
		{302, nil, events.CodeFailedPrecondition, false},
		{204, nil, events.CodeFailedPrecondition, false},
	} {
		err := llm.Failure{Provider: "acme", Status: c.status, Reasons: c.reasons, Header: http.Header{"Retry-After": {"7"}}}.Error()
		require.Equal(t, c.code, err.Code, c.status)
		require.Equal(t, c.retryable, err.Retryable, c.status)
		require.Equal(t, "acme", err.Provider)
		require.NotEmpty(t, err.Message)
		if c.retryable {
			require.Equal(t, 7*time.Second, err.RetryAfter, c.status)
		} else {
			require.Zero(t, err.RetryAfter)
		}
	}
}

// What a model cannot do is told apart from what nobody can: another model may be asked.
func TestFailureOfTheModel(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status        int
		reason, param string
		class         llm.Class
		code          events.Code
	}{
		{404, "model_not_found", "", llm.ClassModel, events.CodeNotFound},
		{403, "model_not_found", "", llm.ClassModel, events.CodeNotFound},
		{400, "model_decommissioned", "", llm.ClassModel, events.CodeNotFound},
		{400, "invalid_model", "", llm.ClassModel, events.CodeNotFound},
		{400, "invalid_request_error", "model", llm.ClassModel, events.CodeNotFound},
		{403, "", "model", llm.ClassKey, events.CodePermissionDenied},
		{429, "", "model", llm.ClassLimit, events.CodeRateLimited},
		{400, llm.ReasonUnsupported, "model", llm.ClassUnsupported, events.CodeUnsupported},
		{400, "unsupported_value", "temperature", llm.ClassUnsupported, events.CodeUnsupported},
		{400, llm.ReasonTooLong, "messages", llm.ClassUnsupported, events.CodeInvalidArgument},
		{500, "exceed_context_size_error", "", llm.ClassUnsupported, events.CodeInvalidArgument},
		{400, "invalid_request_error", "messages", llm.ClassCaller, events.CodeInvalidArgument},
		{413, "", "", llm.ClassCaller, events.CodeInvalidArgument},
	} {
		fault := llm.Failure{Provider: "acme", Status: c.status, Reasons: []string{c.reason}, Param: c.param}.Fault()
		require.Equal(t, []any{c.class, c.code}, []any{fault.Class, fault.Err.Code}, "%+v", c)
	}
}

// The server's word on a repetition changes whether there is one, never whose fault it is.
func TestShouldRetry(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status           int
		word, after      string
		class            llm.Class
		retryable, final bool
	}{
		{500, "", "", llm.ClassProvider, true, false},
		{500, "true", "", llm.ClassProvider, true, false},
		{500, "false", "", llm.ClassProvider, false, true},
		{529, " False ", "", llm.ClassProvider, false, true},
		{503, "false", "9", llm.ClassProvider, true, true},
		{504, "false", "", llm.ClassTimeout, false, true},
		{429, "false", "", llm.ClassLimit, false, true},
		{429, "false", "9", llm.ClassLimit, true, true},
		{400, "true", "", llm.ClassCaller, true, false},
		{400, "perhaps", "", llm.ClassCaller, false, false},
		{401, "true", "", llm.ClassKey, false, false},
		{402, "true", "", llm.ClassQuota, false, false},
		{404, "true", "", llm.ClassModel, false, false},
		{501, "true", "", llm.ClassUnsupported, false, false},
	} {
		header := http.Header{"X-Should-Retry": {c.word}, "Retry-After": {c.after}}
		fault := llm.Failure{Provider: "acme", Status: c.status, Header: header}.Fault()
		require.Equal(t, []any{c.class, c.retryable, c.final}, []any{fault.Class, fault.Err.Retryable, fault.Final}, "%+v", c)
		require.Equal(t, c.after != "", !fault.Until.IsZero(), "%+v", c)
	}
}

func TestFailureMessageIsBounded(t *testing.T) {
	t.Parallel()
	err := llm.Failure{Provider: "acme", Status: 400, Message: "bad\x00\r\nthing \xff" + strings.Repeat("é", 5000)}.Error()
	require.True(t, strings.HasPrefix(err.Message, "status 400: bad thing �é"), err.Message)
	require.LessOrEqual(t, len(err.Message), 520)
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name, value string
		want        time.Duration
	}{
		{"Retry-After", "3", 3 * time.Second},
		{"Retry-After", " 0.25 ", 250 * time.Millisecond},
		{"Retry-After", "Sun, 01 Nov 2026 12:00:30 GMT", 30 * time.Second},
		{"Retry-After", "Sun, 01 Nov 2026 11:00:00 GMT", 0},
		{"Retry-After", "Fri, 01 Nov 2126 11:00:00 GMT", 24 * time.Hour},
		{"Retry-After", "-5", 0},
		{"Retry-After", "soon", 0},
		{"Retry-After", "NaN", 0},
		{"Retry-After", "Inf", 24 * time.Hour},
		{"Retry-After", "99999999999999999999", 24 * time.Hour},
		{"Retry-After-Ms", "1500", 1500 * time.Millisecond},
		{"X-Ms-Retry-After-Ms", "20", 20 * time.Millisecond},
	} {
		require.Equal(t, c.want, llm.RetryAfter(http.Header{c.name: {c.value}}, now), c.name+": "+c.value)
	}
	require.Equal(t, 5*time.Millisecond, llm.RetryAfter(http.Header{"Retry-After": {"9"}, "Retry-After-Ms": {"5"}}, now), "the finer one wins")
	require.Zero(t, llm.RetryAfter(nil, now))
}

func TestCheckVectors(t *testing.T) {
	t.Parallel()
	nan, inf := float32(math.NaN()), float32(math.Inf(-1))
	require.NoError(t, llm.CheckVectors("acme", [][]float32{{0, 1}, {1, 0}}, 2, 0))
	for name, c := range map[string]struct {
		vectors [][]float32
		want    int
		code    events.Code
	}{
		"too few":          {[][]float32{{1, 2}}, 0, events.CodeInternal},
		"too many":         {[][]float32{{1}, {1}, {1}}, 0, events.CodeInternal},
		"missing":          {[][]float32{{1, 2}, nil}, 0, events.CodeInternal},
		"lengths differ":   {[][]float32{{1, 2}, {1}}, 0, events.CodeInternal},
		"not a number":     {[][]float32{{1, 2}, {1, nan}}, 0, events.CodeInternal},
		"infinite":         {[][]float32{{1, 2}, {inf, 1}}, 0, events.CodeInternal},
		"zero":             {[][]float32{{1, 2}, {0, 0}}, 0, events.CodeInternal},
		"other dimensions": {[][]float32{{1, 2}, {1, 2}}, 3, events.CodeUnsupported},
	} {
		err := llm.CheckVectors("acme", c.vectors, 2, c.want)
		require.Equal(t, c.code, events.CodeOf(err), name)
		require.Equal(t, "acme", events.AsError(err).Provider)
	}
}

// TestFaultIn: why a call was ended from here goes before what the adapter makes of it.
func TestFaultIn(t *testing.T) {
	t.Parallel()
	slow := &llm.Fault{Class: llm.ClassTimeout, Err: llm.Unavailable("a", "slow")}
	ctx, cancel := context.WithCancelCause(t.Context())
	broke := llm.Unavailable("a", "the connection broke")
	require.Equal(t, llm.ClassProvider, llm.FaultIn(ctx, broke).Class)
	cancel(slow)
	require.Same(t, slow, llm.FaultIn(ctx, broke))
	ctx, cancel = context.WithCancelCause(t.Context())
	cancel(nil)
	require.Equal(t, llm.ClassProvider, llm.FaultIn(ctx, broke).Class, "that somebody has left is told elsewhere")
}
