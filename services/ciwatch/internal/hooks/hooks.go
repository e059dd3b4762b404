// Package hooks is the door at which forges knock: it takes in webhooks over HTTP, checks that they are signed, reads what they tell,
// stores it, and answers. It decides nothing.
//
// Anybody may knock. Nothing of a body is looked at before its signature is known to be good; until then it costs memory that is counted,
// time that is bounded, and no more than that. Who is slow gives way to who is not: when connections or memory run out, those go that have
// been there longest without a signed webhook. Addresses say nothing, for a forge comes from behind a proxy, as everybody else does.
package hooks

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
	"golang.org/x/time/rate"

	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge"
)

// Config is what a door is made of. Sources and Publish are needed.
type Config struct {
	// Addr is where it listens, host:port; port 0 picks one.
	Addr string
	// Sources are the forges, by the path to which they post: "/github/webhooks". Several paths may lead to the same one.
	Sources map[string]Source
	// Publish stores a sighting and returns when it is stored. One with an id that is stored already counts as stored. It ends when its
	// context does.
	Publish func(ctx context.Context, id string, s forge.Sighting) error
	// Accepts reports whether a repository is watched at all; what is told of others is ignored. Without it all are.
	Accepts func(forgeName, repository string) bool
	// Bounds are what may be asked of the door; each that is 0 is as [DefaultBounds] says.
	Bounds Bounds
	// Drain is how long requests that have begun may go on when Run's context has ended; 0 is 5 s.
	Drain time.Duration

	Metrics prometheus.Registerer // nil is nowhere
	Tracer  trace.TracerProvider  // nil is none
	Logger  *slog.Logger          // nil is nowhere
}

// defaultDrain is the drain of a configuration without one.
const defaultDrain = 5 * time.Second

// Door takes in webhooks. Make one with [New].
type Door struct {
	cfg     Config
	bounds  Bounds
	sources map[string]*Source
	log     *slog.Logger
	tracer  trace.Tracer
	metrics *metrics

	common, large *room         // memory of bodies up to Bounds.Common, and of larger ones
	buffers       buffers       // that are used again
	work          chan struct{} // one for each request that is stored
	inside        inside
	hard          context.Context // ends when not even draining requests may go on
	refused       rate.Sometimes  // is worth a line in the log
	failing       atomic.Pointer[failure]

	mu       sync.Mutex
	listener *listener
}

// New checks cfg and returns a door that is shut until [Door.Run].
func New(cfg Config) (*Door, error) {
	if cfg.Publish == nil || len(cfg.Sources) == 0 {
		return nil, errors.New("a door for webhooks needs a source and a place to store what they tell")
	}
	bounds, err := cfg.Bounds.complete()
	if err != nil {
		return nil, fmt.Errorf("webhooks: %w", err)
	}
	d := &Door{
		cfg: cfg, bounds: bounds, sources: map[string]*Source{}, log: cfg.Logger,
		common: newRoom(bounds.Memory-bounds.Large, bounds.RoomTime), large: newRoom(bounds.Large, bounds.RoomTime),
		work:    make(chan struct{}, bounds.Work),
		refused: rate.Sometimes{First: 1, Interval: 10 * time.Minute},
	}
	for path, source := range cfg.Sources {
		if err := source.validate(); err != nil {
			return nil, fmt.Errorf("webhooks at %s: %w", path, err)
		}
		if len(path) < 2 || path[0] != '/' || strings.ContainsAny(path, "?#% ") {
			return nil, fmt.Errorf("webhooks at %q: that is no path like /github/webhooks", path)
		}
		d.sources[path] = &source
	}
	if d.cfg.Drain <= 0 {
		d.cfg.Drain = defaultDrain
	}
	if d.log == nil {
		d.log = slog.New(slog.DiscardHandler)
	}
	tracers := cfg.Tracer
	if tracers == nil {
		tracers = noop.NewTracerProvider()
	}
	d.tracer = tracers.Tracer("github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/hooks")
	d.metrics, err = newMetrics(cfg.Metrics, d)
	return d, err
}

// Listen opens the door's address and returns it, with the real port. [Door.Run] does it if nobody has.
func (d *Door) Listen(ctx context.Context) (net.Addr, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.listener != nil {
		return d.listener.Addr(), nil
	}
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp", d.cfg.Addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("webhooks: %s is in use by another process; choose another address: %w", d.cfg.Addr, err)
	}
	if err != nil {
		return nil, fmt.Errorf("webhooks: %s cannot be listened at: %w", d.cfg.Addr, err)
	}
	d.listener = newListener(l, d.bounds.Connections, d.metrics.evicted)
	return l.Addr(), nil
}

// Run takes in webhooks until ctx ends; then it takes no more connections, finishes what it has begun, for as long as it may drain, and
// returns nil. It can be called once.
func (d *Door) Run(ctx context.Context) error {
	if _, err := d.Listen(ctx); err != nil {
		return err
	}
	// What has begun outlives ctx.
	hard, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	d.hard = hard
	server := d.server(hard)
	served := make(chan error, 1)
	go func() { served <- server.Serve(d.listener) }()
	var err error
	select {
	case <-ctx.Done():
	case err = <-served:
		err = fmt.Errorf("webhooks: the listener at %s broke: %w", d.cfg.Addr, err)
	}
	draining, cancel := context.WithTimeout(hard, d.cfg.Drain)
	defer cancel()
	if slow := server.Shutdown(draining); slow != nil {
		d.log.WarnContext(ctx, "webhooks that had begun are broken off", "drain", d.cfg.Drain)
		end()
		err = errors.Join(err, server.Close())
	}
	d.inside.shut()
	return err
}

// server is the HTTP server: HTTP/1.1 alone, which is what forges and proxies speak to us.
func (d *Door) server(base context.Context) *http.Server {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	return &http.Server{
		Handler: http.HandlerFunc(d.serve), Protocols: &protocols, DisableGeneralOptionsHandler: true,
		ReadHeaderTimeout: d.bounds.HeaderTime,
		ReadTimeout:       d.bounds.HeaderTime + d.bounds.BodyTime,
		WriteTimeout:      d.bounds.HeaderTime + d.bounds.BodyTime + d.bounds.PublishTime + time.Second,
		IdleTimeout:       idleTime,
		MaxHeaderBytes:    maxHeader - headerSlop,
		BaseContext:       func(net.Listener) context.Context { return base },
		ConnContext:       remember,
		ErrorLog:          slog.NewLogLogger(d.log.Handler(), slog.LevelWarn),
	}
}
