package sender_test

import (
	"crypto/tls"
	"io"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/egress"
	"github.com/neuron7x/mlsdm-integrations/internal/egress/egresstest"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/sender"
)

func TestWhatIsSent(t *testing.T) {
	t.Parallel()
	var got *http.Request
	var body []byte
	r := request(t, serve(t, func(w http.ResponseWriter, r *http.Request) {
		got = r
		body, _ = io.ReadAll(r.Body)
		w.WriteHeader(http.StatusAccepted)
		_, _ = io.WriteString(w, "thanks")
	})+"/hook%2Fa?token=a%20b")
	before := time.Now()
	result := sender.Send(t.Context(), r)
	require.NoError(t, result.Err)
	require.Equal(t, sender.Delivered, result.Verdict)
	require.Equal(t, http.StatusAccepted, result.Status)
	require.Equal(t, "thanks", result.Response)
	require.WithinRange(t, result.At, before, time.Now())
	require.Positive(t, result.Latency)
	require.Positive(t, result.Timing.ConnectMS)
	require.Positive(t, result.Timing.FirstByteMS)
	require.Zero(t, result.Timing.TLSMS)

	require.Equal(t, http.MethodPost, got.Method)
	require.Equal(t, "/hook%2Fa?token=a%20b", got.RequestURI)
	require.Equal(t, r.URL.Host, got.Host)
	require.Equal(t, r.Body, body)
	want := http.Header{}
	for _, f := range r.Header {
		want.Add(f.Name, f.Value)
	}
	want.Set("Content-Length", strconv.Itoa(len(body)))
	require.Equal(t, want, got.Header)

	require.Equal(t, []egress.Field{
		{Name: "Content-Type", Value: "application/json"},
		{Name: "User-Agent", Value: "mlsdm-webhooks/test"},
		{Name: "Webhook-Id", Value: "evt_1"},
		{Name: "Webhook-Timestamp", Value: "1700000000"},
		{Name: "X-Api-Key", Value: "***"},
		{Name: "Authorization", Value: "***"},
		{Name: "X-Tenant", Value: "a, b"},
	}, result.Sent)
}

func TestSendOverTLS(t *testing.T) {
	t.Parallel()
	ca := egresstest.NewAuthority(t)
	offers := map[string][]string{"nothing": nil, "HTTP/1.1": {"http/1.1"}, "HTTP/2 too": {"h2", "http/1.1"}}
	for offer, protocols := range offers {
		t.Run(offer, func(t *testing.T) {
			t.Parallel()
			config := &tls.Config{
				Certificates: []tls.Certificate{ca.Issue(t, "receiver.example", time.Now().Add(time.Hour))}, NextProtos: protocols,
			}
			got := make(chan string, 3)
			address := serveTLS(t, config, func(w http.ResponseWriter, r *http.Request) {
				got <- r.Proto
				_, _ = io.Copy(w, r.Body)
			})
			r := request(t, "https://receiver.example:"+mustURL(t, address).Port())
			r.Client = newClient(t, &tls.Config{RootCAs: ca.Pool()})
			for i := range 3 {
				result := sender.Send(t.Context(), r)
				require.NoError(t, result.Err)
				require.Equal(t, string(r.Body), result.Response)
				require.Equal(t, "HTTP/1.1", <-got)
				require.Positive(t, result.Timing.FirstByteMS)
				require.Equal(t, i == 0, result.Timing.DNSMS > 0)
				require.Equal(t, i == 0, result.Timing.ConnectMS > 0)
				require.Equal(t, i == 0, result.Timing.TLSMS > 0)
			}
		})
	}
}

// TestHeadersCannotBeInjected: neither into the request nor into its framing.
func TestHeadersCannotBeInjected(t *testing.T) {
	t.Parallel()
	address := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("it was sent") })
	for name, value := range map[string]string{
		"X-A": "a\r\nX-Evil: 1", "X-B": "a\nb", "X-C": "a\rb", "X-D": "a\x00b", "X-E": "a\x7fb", "X-F": "a\x1bb",
		"X-G\r\nX-Evil": "1", "X H": "1", "X:I": "1", "": "1", "X-Ы": "1", "X-J\x00": "1",
		"Host": "evil.example", "Content-Length": "5", "content-length": "5", "Transfer-Encoding": "chunked", "Connection": "close",
		"connection": "upgrade", "Upgrade": "h2c", "Trailer": "X", "TE": "trailers", "Expect": "100-continue", "Keep-Alive": "1",
		"Proxy-Connection": "close",
	} {
		r := request(t, address)
		r.Header = append(r.Header, egress.Field{Name: name, Value: value})
		result := sender.Send(t.Context(), r)
		require.Equal(t, sender.Misconfigured, result.Verdict, "%q", name)
		require.Equal(t, events.ErrorClassEndpoint, result.Class)
		require.Nil(t, result.Sent)
		require.NotContains(t, result.Err.Error(), "Evil: 1")
		require.NotContains(t, result.Err.Error(), "\n")
	}
}

func TestSendWithoutABody(t *testing.T) {
	t.Parallel()
	r := request(t, serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength != 0 {
			w.WriteHeader(http.StatusBadRequest)
		}
	}))
	r.Body, r.Header, r.Timeout = nil, nil, 0
	require.NoError(t, sender.Send(t.Context(), r).Err)
}
