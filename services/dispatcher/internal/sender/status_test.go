package sender_test

import (
	"net"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/sender"
)

func TestVerdictOfAStatus(t *testing.T) {
	t.Parallel()
	const status, redirect = events.ErrorClassStatus, events.ErrorClassRedirect
	tests := []struct {
		status              int
		retryAfter, control string
		verdict             sender.Verdict
		class               string
		after               time.Duration
	}{
		{status: 200, verdict: sender.Delivered},
		{status: 201, verdict: sender.Delivered},
		{status: 202, retryAfter: "9", verdict: sender.Delivered},
		{status: 204, verdict: sender.Delivered},
		{status: 299, verdict: sender.Delivered},
		{status: 200, control: "disable", verdict: sender.Delivered},
		{status: 200, control: "abort-message", verdict: sender.Delivered},
		{status: 300, verdict: sender.Refused, class: redirect},
		{status: 301, verdict: sender.Refused, class: redirect},
		{status: 302, verdict: sender.Refused, class: redirect},
		{status: 303, verdict: sender.Refused, class: redirect},
		{status: 304, verdict: sender.Refused, class: redirect},
		{status: 307, verdict: sender.Refused, class: redirect},
		{status: 308, verdict: sender.Refused, class: redirect},
		{status: 400, verdict: sender.Refused, class: status},
		{status: 401, verdict: sender.Refused, class: status},
		{status: 404, retryAfter: "9", verdict: sender.Refused, class: status},
		{status: 413, verdict: sender.Refused, class: status},
		{status: 499, verdict: sender.Refused, class: status},
		{status: 408, verdict: sender.Retry, class: status},
		{status: 425, verdict: sender.Retry, class: status},
		{status: 429, verdict: sender.Retry, class: status},
		{status: 410, retryAfter: "9", verdict: sender.Gone, class: status},
		{status: 500, retryAfter: "9", verdict: sender.Retry, class: status},
		{status: 501, verdict: sender.Retry, class: status},
		{status: 599, verdict: sender.Retry, class: status},
		{status: 999, verdict: sender.Retry, class: status},

		{status: 429, retryAfter: "9", verdict: sender.Retry, class: status, after: 9 * time.Second},
		{status: 502, retryAfter: "9", verdict: sender.Retry, class: status, after: 9 * time.Second},
		{status: 503, retryAfter: "9", verdict: sender.Retry, class: status, after: 9 * time.Second},
		{status: 504, retryAfter: "9", verdict: sender.Retry, class: status, after: 9 * time.Second},
		{status: 429, retryAfter: "Fri, 31 Dec 9999 23:59:59 GMT", verdict: sender.Retry, class: status, after: time.Hour},
		{status: 429, retryAfter: "Thu, 01 Jan 1970 00:00:00 GMT", verdict: sender.Retry, class: status},
		{status: 429, retryAfter: "99999999999999999999", verdict: sender.Retry, class: status, after: time.Hour},
		{status: 429, retryAfter: "-1", verdict: sender.Retry, class: status},
		{status: 429, retryAfter: "rubbish", verdict: sender.Retry, class: status},
		{status: 429, retryAfter: "1e9", verdict: sender.Retry, class: status},

		{status: 500, control: "disable", verdict: sender.Disable, class: status},
		{status: 503, retryAfter: "9", control: " Disable ", verdict: sender.Disable, class: status, after: 9 * time.Second},
		{status: 500, control: "abort-message", verdict: sender.Abort, class: status},
		{status: 404, control: "ABORT-MESSAGE", verdict: sender.Abort, class: status},
		{status: 302, control: "abort-message", verdict: sender.Abort, class: redirect},
		{status: 410, control: "abort-message", verdict: sender.Gone, class: status},
		{status: 500, control: "abort-message, disable", verdict: sender.Disable, class: status},
		{status: 500, control: "disabled", verdict: sender.Retry, class: status},
		{status: 400, control: "", verdict: sender.Refused, class: status},
	}
	for _, tt := range tests {
		t.Run(strconv.Itoa(tt.status)+" "+tt.retryAfter+tt.control, func(t *testing.T) {
			t.Parallel()
			result := sender.Send(t.Context(), request(t, serve(t, func(w http.ResponseWriter, _ *http.Request) {
				if tt.retryAfter != "" {
					w.Header().Set("Retry-After", tt.retryAfter)
				}
				if tt.control != "" {
					w.Header().Set("webhook-delivery", tt.control)
				}
				w.Header().Set("Location", "https://example.com/")
				w.WriteHeader(tt.status)
			})))
			require.Equal(t, tt.status, result.Status)
			require.Equal(t, tt.verdict, result.Verdict)
			require.Equal(t, tt.class, result.Class)
			require.Equal(t, tt.after, result.RetryAfter)
			if tt.verdict == sender.Delivered {
				require.NoError(t, result.Err)
				return
			}
			var status *sender.StatusError
			require.ErrorAs(t, result.Err, &status)
			require.ErrorContains(t, result.Err, strconv.Itoa(tt.status))
		})
	}
}

func TestRetryAfterAsADate(t *testing.T) {
	t.Parallel()
	result := sender.Send(t.Context(), request(t, serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", time.Now().Add(10*time.Minute).UTC().Format(http.TimeFormat))
		w.WriteHeader(http.StatusServiceUnavailable)
	})))
	require.InDelta(t, 10*time.Minute, result.RetryAfter, float64(5*time.Second))
}

// TestSwitchingProtocols: what follows is not an answer, and is not waited for.
func TestSwitchingProtocols(t *testing.T) {
	t.Parallel()
	result := sender.Send(t.Context(), request(t, serveRaw(t, func(c *net.TCPConn) {
		says("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")(c)
		_, _ = c.Read(make([]byte, 1)) // until the sender goes
	})))
	require.Equal(t, sender.Refused, result.Verdict)
	require.Equal(t, http.StatusSwitchingProtocols, result.Status)
	require.Less(t, result.Latency, 20*time.Second)
}
