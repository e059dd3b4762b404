package health

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// The bounds of the admin listener. Nothing it serves is large or slow.
const (
	readTimeout  = 5 * time.Second
	writeTimeout = 15 * time.Second
	idleTimeout  = 60 * time.Second
	maxHeader    = 16 << 10
	maxScrapes   = 4
)

// Handler serves /livez (200 as long as the process answers), /readyz (200 or 503, with a [Report] as JSON) and /metrics.
func Handler(checks *Checks, metrics prometheus.Gatherer) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Write([]byte("ok\n"))
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		report := checks.Run(r.Context())
		body, err := json.Marshal(report)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		if report.Status == StatusNotReady {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		w.Write(append(body, '\n'))
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(metrics, promhttp.HandlerOpts{
		ErrorHandling:       promhttp.ContinueOnError, // one broken collector must not hide the others
		MaxRequestsInFlight: maxScrapes,
		EnableOpenMetrics:   true, // for who asks for it; it is the format that has exemplars
		Timeout:             writeTimeout - time.Second,
	}))
	return mux
}

// Server is the admin listener.
type Server struct {
	listener net.Listener
	http     *http.Server
}

// Listen opens the admin listener at addr (host:port; port 0 picks one); [Server.Serve] then answers.
func Listen(ctx context.Context, addr string, handler http.Handler) (*Server, error) {
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp", addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("admin-addr %s is in use by another process: choose another address, or \"off\": %w", addr, err)
	}
	if err != nil {
		return nil, fmt.Errorf("admin-addr %s: %w", addr, err)
	}
	return &Server{listener: l, http: &http.Server{
		Handler: handler, ReadHeaderTimeout: readTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout,
		IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader,
	}}, nil
}

// Addr returns the address that the listener has, with the real port.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// Serve answers until [Server.Shutdown]; it returns nil then.
func (s *Server) Serve() error {
	if err := s.http.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("admin listener: %w", err)
	}
	return nil
}

// Shutdown closes the listener and waits for what is being answered until ctx ends; then it breaks that off.
func (s *Server) Shutdown(ctx context.Context) error {
	if err := s.http.Shutdown(ctx); err != nil {
		return errors.Join(err, s.http.Close())
	}
	return nil
}
