package watch_test

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/fakegithub"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge/github"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/hooks"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/pace"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/policy"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/watch"
)

const (
	// recordings is where GitHub's own webhooks are, on machines that have them.
	recordings = "../../../../../shared/data/github-webhooks"
	key        = "It's a Secret to Everybody"
	token      = "ghp_canary31337"
	// patience is how long is waited for what must happen, on the slowest machine.
	patience = 60 * time.Second
	// pause is between two looks at whether it has.
	pause = 10 * time.Millisecond
)

// world is a NATS server, a GitHub, and what watches it.
type world struct {
	nats   *bustest.Server
	client *bus.Bus
	kv     *bus.KV
	fake   *fakegithub.Server
	log    *records

	extent func(stream string) (first, last, count uint64) // what a stream holds
	read   func(sequence uint64) events.Event              // of the events

	writing sync.Mutex                // held while something happens at a time
	clock   atomic.Pointer[time.Time] // GitHub's, when something happens that happened before
}

// newWorld makes a world that nobody watches yet.
func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{log: &records{}}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(w.log.about("subject="))
		}
	})
	opts := fakegithub.Options{Repository: "acme/one", Token: token, RateLimit: 1 << 30, Now: w.now}
	recorded, err := fakegithub.LoadTemplates(recordings)
	if err != nil {
		require.ErrorIs(t, err, fs.ErrNotExist)
	}
	opts.Templates = recorded
	w.fake, err = fakegithub.New(opts)
	require.NoError(t, err)
	w.nats = bustest.Start(t)
	w.client = w.nats.Connect(t, "client")
	js, err := w.nats.Conn(t).JetStream()
	require.NoError(t, err)
	w.extent = func(stream string) (first, last, count uint64) {
		info, err := js.StreamInfo(stream)
		require.NoError(t, err)
		return info.State.FirstSeq, info.State.LastSeq, info.State.Msgs
	}
	w.read = func(sequence uint64) events.Event {
		msg, err := js.GetMsg("MLSDM_EVENTS", sequence)
		require.NoError(t, err)
		ev, err := events.FromMessage(w.client.Subjects(), msg.Subject, msg.Header, msg.Data, events.Stored{
			Stream: "MLSDM_EVENTS", Sequence: sequence, Time: msg.Time,
		})
		require.NoError(t, err)
		return ev
	}
	w.kv, err = w.client.KV(t.Context(), events.BucketCI)
	require.NoError(t, err)
	return w
}

// now is the time at GitHub.
func (w *world) now() time.Time {
	if at := w.clock.Load(); at != nil {
		return *at
	}
	return time.Now()
}

// github is the world's GitHub as a forge.
func (w *world) github(t *testing.T, edit ...func(*github.Config)) *github.Forge {
	t.Helper()
	cfg := github.Config{Credentials: []github.Credential{{Token: secret.NewValue(token)}}, Transport: w.fake}
	for _, change := range edit {
		change(&cfg)
	}
	f, err := github.New(cfg)
	require.NoError(t, err)
	return f
}

// wanted reads repositories of GitHub.
func wanted(t *testing.T, names ...string) []watch.Wanted {
	t.Helper()
	var all []watch.Wanted
	for _, name := range names {
		one, err := watch.ParseWanted(github.DefaultName, name)
		require.NoError(t, err)
		all = append(all, one)
	}
	return all
}

// pattern reads a pattern.
func pattern(t *testing.T, text string) policy.Pattern {
	t.Helper()
	p, err := policy.NewPattern(text)
	require.NoError(t, err)
	return p
}

// config watches repositories of the world's GitHub: every branch, with an alarm at three failures, and nothing done about it.
func (w *world) config(t *testing.T, repositories ...string) watch.Config {
	t.Helper()
	return watch.Config{
		Forges: []watch.Forge{{Forge: w.github(t)}}, Repositories: wanted(t, repositories...),
		Rules:  policy.Rules{{Name: "all", FailuresToAlert: 3, PassesToClose: 1, Recovery: policy.Recovery{Action: policy.None}}},
		Pace:   pace.Config{Interval: time.Hour, Max: time.Hour, Gap: time.Millisecond, PerMinute: 1 << 20},
		Settle: 50 * time.Millisecond, LeaseTTL: 10 * time.Second, Drain: 5 * time.Second,
	}
}

// replica is one that watches.
type replica struct {
	*watch.Watch

	url     string // of its door, without a path
	metrics *prometheus.Registry
	stop    func()
}

// run starts a replica with a door for webhooks. It is stopped, and waited for, by stop or when the test ends.
func (w *world) run(t *testing.T, cfg watch.Config) *replica {
	t.Helper()
	if cfg.Tracer == nil {
		cfg.Tracer = bustest.Tracer(t)
	}
	b := w.nats.ConnectTraced(t, "ciwatch", cfg.Tracer)
	r := &replica{metrics: prometheus.NewRegistry()}
	var err error
	r.Watch, err = watch.New(cfg, b, slog.New(slog.NewTextHandler(w.log, nil)), r.metrics)
	require.NoError(t, err)
	door, err := hooks.New(hooks.Config{
		Addr: "127.0.0.1:0", Publish: r.Tell, Accepts: r.Watches, Sources: map[string]hooks.Source{"/github/webhooks": fromGitHub()}, Tracer: cfg.Tracer,
	})
	require.NoError(t, err)
	addr, err := door.Listen(t.Context())
	require.NoError(t, err)
	r.url = "http://" + addr.String()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 2)
	go func() { done <- r.Run(ctx) }()
	go func() { done <- door.Run(ctx) }()
	stopped := false
	r.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		for range cap(done) {
			select {
			case err := <-done:
				require.NoError(t, err)
			case <-time.After(patience):
				require.Fail(t, "a replica does not stop")
			}
		}
	}
	t.Cleanup(r.stop)
	return r
}

// fromGitHub is the source of GitHub's webhooks.
func fromGitHub() hooks.Source {
	secrets := []secret.Value{secret.NewValue(key)}
	return hooks.Source{
		Forge: github.DefaultName, Credential: github.HeaderSignature, Delivery: []string{github.HeaderDelivery}, Event: github.HeaderEvent,
		Events: []string{"workflow_run", "workflow_job", "check_run", "check_suite"}, Ping: "ping", Read: github.Sightings,
		Verify: func(h http.Header, body []byte) bool {
			return github.Verify(secrets, h.Get(github.HeaderSignature), body)
		},
	}
}

// webhook is one that is, or may be, delivered.
type webhook struct {
	header http.Header
	body   []byte
}

// hook is the webhook about a run.
func (w *world) hook(t *testing.T, run fakegithub.Run) webhook {
	t.Helper()
	header, body, err := w.fake.Webhook(run, key)
	require.NoError(t, err)
	return webhook{header: header, body: body}
}

// again is the webhook, delivered once more under another id.
func (h webhook) again(n int) webhook {
	event := h.header.Get(github.HeaderEvent)
	return webhook{header: fakegithub.Sign(event, fmt.Sprintf("%s-%d", h.header.Get(github.HeaderDelivery), n), key, h.body), body: h.body}
}

// post delivers a webhook, and returns what is answered.
func (r *replica) post(ctx context.Context, h webhook) (status int, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.url+"/github/webhooks", bytes.NewReader(h.body))
	if err != nil {
		return 0, err
	}
	req.Header = h.header
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	return resp.StatusCode, resp.Body.Close()
}

// deliver posts what is to be accepted.
func (r *replica) deliver(ctx context.Context, all ...webhook) error {
	for _, h := range all {
		if status, err := r.post(ctx, h); err != nil || status != http.StatusAccepted {
			return fmt.Errorf("a webhook is answered with %d: %w", status, err)
		}
	}
	return nil
}

// told is deliver for tests that do one thing at a time.
func (r *replica) told(t *testing.T, all ...webhook) {
	t.Helper()
	require.NoError(t, r.deliver(t.Context(), all...))
}

// check has a repository polled.
func (r *replica) check(ctx context.Context, repository string) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return r.Check(ctx, events.CIStatusRequest{Repository: repository})
}

// status is what the replica tells of a repository; an empty name is all of them.
func (r *replica) status(t *testing.T, repository string) events.CIStatus {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	status, err := r.Status(ctx, events.CIStatusRequest{Repository: repository})
	require.NoError(t, err)
	return status
}

// events returns the events of a repository, in order; an empty name is all of them.
func (w *world) events(t *testing.T, repository string) []events.Event {
	t.Helper()
	var all []events.Event
	first, last, count := w.extent("MLSDM_EVENTS")
	for sequence := first; count > 0 && sequence <= last; sequence++ {
		ev := w.read(sequence)
		if repository == "" || strings.EqualFold(ev.Subject, repository) {
			all = append(all, ev)
		}
	}
	return all
}

// types returns the types of a repository's events, in order.
func (w *world) types(t *testing.T, repository string) string {
	t.Helper()
	var types []string
	for _, ev := range w.events(t, repository) {
		types = append(types, ev.Type)
	}
	return strings.Join(types, " ")
}

// eventually waits until what is true.
func eventually(t *testing.T, what func() bool, because ...any) {
	t.Helper()
	require.NoError(t, until(t.Context(), what), because...)
}

// until waits until what is true.
func until(ctx context.Context, what func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	ticker := time.NewTicker(pause)
	defer ticker.Stop()
	for !what() {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// limit has GitHub say that nothing is left of the rate limit for a while.
func (w *world) limit(d time.Duration) {
	w.fake.SetFault(func(*http.Request) (fakegithub.Failure, bool) {
		return fakegithub.Failure{Status: http.StatusForbidden, ResetAfter: d}, true
	})
}
