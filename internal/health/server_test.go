package health_test

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/health"
)

func get(t *testing.T, h http.Handler, method, path string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), method, path, http.NoBody))
	return w
}

func TestHandler(t *testing.T) {
	t.Parallel()
	checks, metrics := health.NewChecks(), prometheus.NewRegistry()
	counter := prometheus.NewCounter(prometheus.CounterOpts{Name: "mlsdm_test_total", Help: "Tests."})
	metrics.MustRegister(counter)
	counter.Inc()
	h := health.Handler(checks, metrics)

	w := get(t, h, http.MethodGet, "/livez")
	require.Equal(t, http.StatusOK, w.Code)
	require.Equal(t, "ok\n", w.Body.String())

	checks.Register("bus", fine)
	w = get(t, h, http.MethodGet, "/readyz")
	require.Equal(t, http.StatusOK, w.Code)
	require.Equal(t, "application/json", w.Header().Get("Content-Type"))
	require.JSONEq(t, `{"status":"ready","checks":{"bus":{"status":"ok"}}}`, w.Body.String())

	checks.Register("redis", weak)
	w = get(t, h, http.MethodGet, "/readyz")
	require.Equal(t, http.StatusOK, w.Code, "degraded is ready")
	require.JSONEq(t, `{"status":"degraded","checks":{"bus":{"status":"ok"},
		"redis":{"status":"degraded","message":"cache: redis is away: context deadline exceeded"}}}`, w.Body.String())

	checks.Register("bus", broken)
	w = get(t, h, http.MethodGet, "/readyz")
	require.Equal(t, http.StatusServiceUnavailable, w.Code)
	var report health.Report
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &report))
	require.Equal(t, health.Result{Status: health.StatusFailed, Message: "no connection"}, report.Checks["bus"])
	require.Equal(t, http.StatusOK, get(t, h, http.MethodGet, "/livez").Code, "a process that is not ready lives all the same")

	w = get(t, h, http.MethodGet, "/metrics")
	require.Equal(t, http.StatusOK, w.Code)
	require.Contains(t, w.Body.String(), "mlsdm_test_total 1")

	require.Equal(t, http.StatusNotFound, get(t, h, http.MethodGet, "/").Code)
	require.Equal(t, http.StatusMethodNotAllowed, get(t, h, http.MethodPost, "/readyz").Code)
}

// Exemplars, which lead from a histogram to a trace, are only in the format that Prometheus asks for.
func TestMetricsWithExemplars(t *testing.T) {
	t.Parallel()
	metrics := prometheus.NewRegistry()
	seconds := prometheus.NewHistogram(prometheus.HistogramOpts{Name: "mlsdm_test_seconds", Help: "Tests.", Buckets: []float64{1}})
	metrics.MustRegister(seconds)
	exemplars, ok := seconds.(prometheus.ExemplarObserver)
	require.True(t, ok)
	exemplars.ObserveWithExemplar(.5, prometheus.Labels{"trace_id": "4bf92f3577b34da6a3ce929d0e0e4736"})
	h := health.Handler(health.NewChecks(), metrics)

	w := httptest.NewRecorder()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", http.NoBody)
	r.Header.Set("Accept", "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5")
	h.ServeHTTP(w, r)
	require.Contains(t, w.Header().Get("Content-Type"), "application/openmetrics-text")
	require.Contains(t, w.Body.String(), `mlsdm_test_seconds_bucket{le="1.0"} 1 # {trace_id="4bf92f3577b34da6a3ce929d0e0e4736"} 0.5`)

	w = get(t, h, http.MethodGet, "/metrics")
	require.Contains(t, w.Header().Get("Content-Type"), "text/plain")
	require.NotContains(t, w.Body.String(), "4bf92f")
}

// serve starts a listener at addr that ends with the test.
func serve(t *testing.T, addr string, checks *health.Checks) *health.Server {
	t.Helper()
	s, err := health.Listen(t.Context(), addr, health.Handler(checks, prometheus.NewRegistry()))
	require.NoError(t, err)
	done := make(chan error, 1)
	go func() { done <- s.Serve() }()
	t.Cleanup(func() {
		require.NoError(t, s.Shutdown(context.WithoutCancel(t.Context())))
		require.NoError(t, <-done, "Serve returns nil after Shutdown")
	})
	return s
}

func TestListenAndProbe(t *testing.T) {
	t.Parallel()
	for _, host := range []string{"127.0.0.1", "", "0.0.0.0", "localhost"} {
		t.Run("host "+host, func(t *testing.T) {
			t.Parallel()
			checks := health.NewChecks()
			s := serve(t, net.JoinHostPort(host, "0"), checks)
			_, port, err := net.SplitHostPort(s.Addr())
			require.NoError(t, err)
			addr := net.JoinHostPort(host, port)

			require.NoError(t, health.Probe(t.Context(), addr))
			checks.Register("redis", weak)
			require.NoError(t, health.Probe(t.Context(), addr), "degraded is ready")
			checks.Register("bus", broken)
			require.ErrorContains(t, health.Probe(t.Context(), addr), "not_ready; bus failed: no connection; redis degraded")
		})
	}
}

func TestListenAddressInUse(t *testing.T) {
	t.Parallel()
	s := serve(t, "127.0.0.1:0", health.NewChecks())
	_, err := health.Listen(t.Context(), s.Addr(), http.NotFoundHandler())
	require.ErrorContains(t, err, "admin-addr "+s.Addr()+" is in use by another process")
	require.ErrorContains(t, err, "choose another")
}

func TestListenBadAddress(t *testing.T) {
	t.Parallel()
	_, err := health.Listen(t.Context(), "9090", http.NotFoundHandler())
	require.ErrorContains(t, err, "admin-addr 9090")
}

func TestProbeFailures(t *testing.T) {
	t.Parallel()
	require.ErrorContains(t, health.Probe(t.Context(), "nonsense"), "admin-addr nonsense")

	s := serve(t, "127.0.0.1:0", health.NewChecks())
	gone := s.Addr()
	require.NoError(t, s.Shutdown(t.Context()))
	require.ErrorContains(t, health.Probe(t.Context(), gone), "ask http://"+gone+"/readyz")

	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusTeapot)
		io.WriteString(w, "I am something else") //nolint:errcheck // the probe sees it
	}))
	t.Cleanup(other.Close)
	require.ErrorContains(t, health.Probe(t.Context(), other.Listener.Addr().String()), "418")
}
