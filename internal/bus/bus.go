package bus

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/neuron7x/mlsdm-integrations/internal/retry"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Options are what a process hands to its bus. The zero value works.
type Options struct {
	// Logger takes the bus's own log lines; nil discards them.
	Logger *slog.Logger
	// Metrics takes the bus's metrics; nil keeps them to itself.
	Metrics prometheus.Registerer
	// Tracer makes spans; nil makes none, but trace context is passed on all the same.
	Tracer trace.TracerProvider
	// InProcess connects to a server in the same process without a socket; the URLs are then not used.
	InProcess nats.InProcessConnProvider
	// Slow is how long an operation may take that is worth a span only when it is slow or fails: one on a bucket, an ack; 0 is 10 ms.
	Slow time.Duration
	// Key is an nkey that is held in memory, in the place of one in a file.
	Key Key
}

// Bus is a connection to NATS. Make one with [Connect]. It is safe for concurrent use.
type Bus struct {
	nc       *nats.Conn
	js       jetstream.JetStream
	api      string // what the subjects of JetStream's API begin with
	name     string
	subjects events.Subjects
	log      *slog.Logger
	metrics  *metrics
	tracer   trace.Tracer
	tracing  bool // somebody looks at the spans
	slow     time.Duration
	outbox   *outbox

	templates *templates
	anywhere  shape // of publishing to several destinations

	closed  chan struct{}
	closing atomic.Bool // Close was called

	pullers pullers

	mu          sync.Mutex
	onReconnect map[int]func()
	nextHook    int
}

// Connect connects under the given client name. It tries until ctx ends, and says once that it waits. Credentials that
// the server refuses, and settings that cannot work, are an error at once.
func Connect(ctx context.Context, cfg Config, name string, o Options) (*Bus, error) {
	if o.InProcess != nil && len(cfg.URLs) == 0 {
		cfg.URLs = []string{"in-process"}
	}
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	subjects, err := events.NewSubjects(cfg.Prefix)
	if err != nil {
		return nil, err
	}
	log := o.Logger
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	tracers := o.Tracer
	if tracers == nil {
		tracers = noop.NewTracerProvider()
	}
	_, untraced := tracers.(noop.TracerProvider)
	m, err := newMetrics(o.Metrics, subjects.Prefix())
	if err != nil {
		return nil, err
	}
	b := &Bus{
		name: name, subjects: subjects, log: log, metrics: m, closed: make(chan struct{}),
		tracer:      tracers.Tracer("github.com/neuron7x/mlsdm-integrations/internal/bus"),
		tracing:     !untraced,
		slow:        cmp.Or(max(o.Slow, 0), defaultSlow),
		templates:   newTemplates(subjects),
		anywhere:    newAnywhere(),
		onReconnect: make(map[int]func()),
	}
	key, err := loginKey(cfg, o)
	if err != nil {
		return nil, err
	}
	opts, err := b.natsOptions(cfg, o, key)
	if err != nil {
		return nil, err
	}
	if err := b.dial(ctx, strings.Join(cfg.servers(), ","), opts); err != nil {
		return nil, err
	}
	b.api = jetstream.DefaultAPIPrefix
	if !key.API.IsZero() {
		b.api = key.API.Reveal() + "."
	}
	if b.js, err = jetstream.NewWithAPIPrefix(b.nc, strings.TrimSuffix(b.api, ".")); err == nil {
		b.outbox, err = openOutbox(b)
	}
	if err != nil {
		b.nc.Close()
		return nil, fmt.Errorf("jetstream: %w", err)
	}
	return b, nil
}

// loginKey returns the nkey to log in with, if there is one.
func loginKey(cfg Config, o Options) (Key, error) {
	if !o.Key.Seed.IsZero() || cfg.NKeyFile == "" {
		return o.Key, nil
	}
	key, err := ReadKey(cfg.NKeyFile)
	if err != nil {
		return Key{}, fmt.Errorf("nats-nkey: %w", err)
	}
	return key, nil
}

// dial connects for the first time, with patience for a server that is not up yet and none for wrong credentials.
func (b *Bus) dial(ctx context.Context, url string, opts []nats.Option) error {
	settings := nats.GetDefaultOptions()
	settings.Servers = strings.Split(url, ",")
	for _, opt := range opts {
		if err := opt(&settings); err != nil { // a file that is not there, or is not what it should be
			return fmt.Errorf("nats settings: %w", err)
		}
	}
	wait := retry.Backoff{Base: reconnectWait, Cap: reconnectWaitMax, Jitter: reconnectWait}
	for n := 0; ; n++ {
		nc, err := settings.Connect()
		if err == nil {
			b.nc = nc
			return nil
		}
		if refused(err) {
			return fmt.Errorf("nats at %s refuses the credentials: check nats-creds, nats-nkey, nats-user or nats-token: %w", safeURLs(url), err)
		}
		if hopeless(err) {
			return fmt.Errorf("nats at %s: %w", safeURLs(url), err)
		}
		if n == 0 {
			b.log.WarnContext(ctx, "nats is not there yet; trying until it is", "nats_url", safeURLs(url), "err", err)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("nats at %s could not be reached: %w", safeURLs(url), err)
		case <-time.After(wait.Delay(n, rand.Float64)):
		}
	}
}

// refused reports whether the server does not accept who we are.
func refused(err error) bool {
	return errors.Is(err, nats.ErrAuthorization) || errors.Is(err, nats.ErrAuthExpired) || errors.Is(err, nats.ErrAuthRevoked) ||
		errors.Is(err, nats.ErrAccountAuthExpired) || strings.Contains(strings.ToLower(err.Error()), "authorization violation")
}

// hopeless reports errors that waiting cannot cure.
func hopeless(err error) bool {
	var theirs *tls.CertificateVerificationError
	if errors.As(err, &theirs) || errors.Is(err, nats.ErrSecureConnRequired) || errors.Is(err, nats.ErrSecureConnWanted) ||
		errors.Is(err, nats.ErrNkeysNotSupported) || errors.Is(err, os.ErrNotExist) || errors.Is(err, os.ErrPermission) {
		return true
	}
	var ours *net.OpError // how the TLS library reports that the server does not like our certificate, or that there is none
	return errors.As(err, &ours) && ours.Op == "remote error"
}

// safeURLs removes passwords from a list of URLs.
func safeURLs(urls string) string {
	list := strings.Split(urls, ",")
	for i, u := range list {
		if at := strings.LastIndex(u, "@"); at >= 0 {
			scheme, _, found := strings.Cut(u, "://")
			if !found {
				scheme = "nats"
			}
			list[i] = scheme + "://[redacted]@" + u[at+1:]
		}
	}
	return strings.Join(list, ",")
}

// natsOptions translates the settings.
func (b *Bus) natsOptions(cfg Config, o Options, key Key) ([]nats.Option, error) {
	wait := retry.Backoff{Base: reconnectWait, Cap: reconnectWaitMax, Jitter: reconnectWait}
	owner := key.User
	if owner == "" {
		owner = b.name
	}
	opts := []nats.Option{
		nats.Name(b.name),
		nats.Timeout(connectTimeout),
		nats.PingInterval(pingInterval),
		nats.MaxReconnects(-1),
		nats.CustomReconnectDelay(func(n int) time.Duration { return wait.Delay(n, rand.Float64) }),
		nats.CustomInboxPrefix("_INBOX_" + inboxToken(owner)),
		nats.DisconnectErrHandler(b.disconnected),
		nats.ReconnectHandler(b.reconnected),
		nats.ClosedHandler(b.connectionClosed),
		nats.ErrorHandler(func(_ *nats.Conn, sub *nats.Subscription, err error) {
			subject := ""
			if sub != nil {
				subject = sub.Subject
			}
			b.log.Error("nats reports an error", "subject", subject, "err", err)
		}),
	}
	if o.InProcess != nil {
		opts = append(opts, nats.InProcessServer(o.InProcess))
	}
	switch {
	case cfg.Creds != "":
		opts = append(opts, nats.UserCredentials(cfg.Creds))
	case !key.Seed.IsZero():
		nkey, err := key.option()
		if err != nil {
			return nil, fmt.Errorf("nats-nkey: %w", err)
		}
		opts = append(opts, nkey)
	case cfg.User != "":
		opts = append(opts, nats.UserInfoHandler(func() (user, password string) { return cfg.User, cfg.Password.Reveal() }))
	case !cfg.Token.IsZero():
		opts = append(opts, nats.TokenHandler(cfg.Token.Reveal))
	}
	if cfg.TLSCA != "" {
		opts = append(opts, nats.RootCAs(cfg.TLSCA))
	}
	if cfg.TLSCert != "" {
		opts = append(opts, nats.ClientCert(cfg.TLSCert, cfg.TLSKey))
	}
	return opts, nil
}

// inboxToken makes a client name fit one subject token, for the private inbox prefix.
func inboxToken(name string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' {
			return r
		}
		return '_'
	}, name)
}

// disconnected says so; the client reconnects for ever by itself.
func (b *Bus) disconnected(_ *nats.Conn, err error) {
	if err != nil {
		b.log.Warn("the connection to nats broke; reconnecting", "err", err)
	}
	b.metrics.connected.Set(0)
}

// connectionClosed tells everyone that there will be no connection any more. If nobody asked for that, the server has
// refused our credentials twice: they were revoked, or have expired.
func (b *Bus) connectionClosed(nc *nats.Conn) {
	if err := nc.LastError(); err != nil && !b.closing.Load() {
		b.log.Error("the connection to nats is closed for good", "err", err)
	}
	b.metrics.connected.Set(0)
	close(b.closed)
}

// reconnected tells everyone who has to ask the server again.
func (b *Bus) reconnected(nc *nats.Conn) {
	b.log.Info("connected to nats again", "nats_url", nc.ConnectedUrlRedacted())
	b.metrics.connected.Set(1)
	b.metrics.reconnects.Inc()
	b.mu.Lock()
	hooks := make([]func(), 0, len(b.onReconnect))
	for _, hook := range b.onReconnect {
		hooks = append(hooks, hook)
	}
	b.mu.Unlock()
	for _, hook := range hooks {
		hook()
	}
}

// afterReconnect registers a hook that must not block; remove takes it away again.
func (b *Bus) afterReconnect(hook func()) (remove func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	id := b.nextHook
	b.nextHook++
	b.onReconnect[id] = hook
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.onReconnect, id)
	}
}

// Subjects returns the subjects of this installation.
func (b *Bus) Subjects() events.Subjects { return b.subjects }

// Name returns the client name.
func (b *Bus) Name() string { return b.name }

// MaxPayload returns the largest message that the server takes, in bytes.
func (b *Bus) MaxPayload() int64 { return b.nc.MaxPayload() }

// ServerURL returns where the bus is connected, without a password, or an empty string.
func (b *Bus) ServerURL() string { return b.nc.ConnectedUrlRedacted() }

// ServerVersion returns the version of the server.
func (b *Bus) ServerVersion() string { return b.nc.ConnectedServerVersion() }

// Connected returns nil while the connection is up. It is what readiness asks.
func (b *Bus) Connected() error {
	if status := b.nc.Status(); status != nats.CONNECTED {
		return fmt.Errorf("nats is %s", strings.ToLower(status.String()))
	}
	return nil
}

// Closed is closed when the connection is closed for good: by [Bus.Close], or because the server refused to take it back.
func (b *Bus) Closed() <-chan struct{} { return b.closed }

// Close waits for the acks of what was published, drains what is subscribed and waits until the connection is closed, or until
// ctx ends; then it closes at once and returns ctx's error.
func (b *Bus) Close(ctx context.Context) error {
	b.closing.Store(true)
	if b.nc.IsConnected() {
		b.outbox.settled(ctx)
	}
	if b.nc.Drain() != nil { // not connected: nothing can be flushed
		b.nc.Close()
	}
	select {
	case <-b.closed:
		return nil
	case <-ctx.Done():
		b.nc.Close()
		<-b.closed
		return fmt.Errorf("nats did not drain in time: %w", ctx.Err())
	}
}
