package registry_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/internal/secret/seal"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/pkg/webhook"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/keyring"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/registry"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/target"
)

const (
	// patience bounds what has to happen and takes no time of its own.
	patience = 20 * time.Second
	// canary is in every secret, and must be nowhere else.
	canary = "canary31337"
	// fresh is how long secrets count in these tests.
	fresh = 300 * time.Millisecond
)

// stack is a server, a store of secrets and the operator's sealing key: what replicas share.
type stack struct {
	server  *bustest.Server
	store   *store
	sealKey secret.Value
}

func newStack(t *testing.T) *stack {
	t.Helper()
	raw := make([]byte, keyring.SealKeyBytes)
	_, err := rand.Read(raw)
	require.NoError(t, err)
	return &stack{
		server: bustest.Start(t), store: &store{values: map[string]string{}},
		sealKey: secret.NewValue(base64.StdEncoding.EncodeToString(raw)),
	}
}

// replica is a registry that runs.
type replica struct {
	*registry.Registry
	bus *bus.Bus
	log *bytes.Buffer // to be read when the replica has stopped
	// stop ends the replica, and waits for it.
	stop func()

	mu      sync.Mutex
	calls   []string // of the hooks, in their order
	clients []*tls.Config
	fail    error // what Forget says
}

// start starts a replica and waits until it has loaded.
func (s *stack) start(t *testing.T, change ...func(*registry.Config)) *replica {
	t.Helper()
	r := s.launch(t, change...)
	within(t, r.Loaded())
	return r
}

// launch is start without waiting.
func (s *stack) launch(t *testing.T, change ...func(*registry.Config)) *replica {
	t.Helper()
	sealer, err := keyring.NewSealer([]secret.Value{s.sealKey})
	require.NoError(t, err)
	resolver, err := keyring.NewResolver(keyring.Options{
		Store: s.store, Allow: []string{"webhook.*"}, FreshFor: fresh, Refused: []string{"WEBHOOK_SECRET"},
		Lookup: func(name string) (string, bool) { return "from the environment " + canary, name == "WEBHOOK_TOKEN" },
	})
	require.NoError(t, err)
	r := &replica{bus: s.server.Connect(t, t.Name()), log: &bytes.Buffer{}}
	cfg := registry.Config{
		Bus: r.bus, Logger: slog.New(slog.NewJSONHandler(r.log, nil)), Keys: keyring.New(sealer), Resolver: resolver,
		CheckURL: func(u *url.URL) error {
			if u.Hostname() == "169.254.169.254" {
				return errors.New("address not allowed")
			}
			return nil
		},
		Client: func(config *tls.Config) *http.Client {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.clients = append(r.clients, config)
			return &http.Client{Transport: &http.Transport{TLSClientConfig: config}}
		},
		Prepare: func(_ context.Context, e *target.Endpoint) error { return r.call("prepare " + e.ID()) },
		Forget: func(_ context.Context, id string) error {
			r.mu.Lock()
			err := r.fail
			r.mu.Unlock()
			return errors.Join(r.call("forget "+id), err)
		},
		Enable: func(_ context.Context, id string) error { return r.call("enable " + id) },
	}
	for _, f := range change {
		f(&cfg)
	}
	r.Registry = registry.New(cfg)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	var once sync.Once
	r.stop = func() {
		once.Do(func() {
			cancel()
			require.NoError(t, <-ended)
			require.NotContains(t, r.log.String(), canary, "no secret in a log")
		})
	}
	t.Cleanup(r.stop)
	return r
}

func (r *replica) call(what string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls = append(r.calls, what)
	return nil
}

// called returns the calls of hooks since it was called last.
func (r *replica) called() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	calls := r.calls
	r.calls = nil
	return calls
}

// bucket opens the bucket of endpoints.
func (r *replica) bucket(t *testing.T) *bus.KV {
	t.Helper()
	kv, err := r.bus.KV(t.Context(), events.BucketEndpoints)
	require.NoError(t, err)
	return kv
}

// put writes a record by hand.
func (r *replica) put(t *testing.T, key, value string) uint64 {
	t.Helper()
	revision, err := r.bucket(t).Put(t.Context(), key, []byte(value))
	require.NoError(t, err)
	return revision
}

// raw reads a record as it is stored.
func (r *replica) raw(t *testing.T, id string) string {
	t.Helper()
	value, _, err := r.bucket(t).Get(t.Context(), id)
	require.NoError(t, err)
	return string(value)
}

// create makes an endpoint and returns its secrets, opened.
func (r *replica) create(t *testing.T, spec events.EndpointSpec) (events.EndpointChanged, []string) {
	t.Helper()
	key := newKey(t)
	changed, err := r.Create(t.Context(), events.EndpointCreateRequest{Endpoint: spec, RecipientKey: key.Public()})
	require.NoError(t, err)
	return changed, open(t, key, changed)
}

// newKey makes a recipient's key.
func newKey(t *testing.T) *seal.Key {
	t.Helper()
	key, err := seal.NewKey()
	require.NoError(t, err)
	t.Cleanup(key.Wipe)
	return key
}

// open opens the secrets of a reply.
func open(t *testing.T, key *seal.Key, changed events.EndpointChanged) []string {
	t.Helper()
	var values []string
	for _, s := range changed.Secrets {
		value, err := key.Open(s.Sealed, s.SenderKey)
		require.NoError(t, err)
		values = append(values, value.Reveal())
	}
	return values
}

// spec is an endpoint with the least that one needs.
func spec(id string) events.EndpointSpec {
	return events.EndpointSpec{ID: id, URL: "https://receiver.example/" + id}
}

// signed signs as an endpoint does at a time.
func signed(t *testing.T, r *replica, id string, at time.Time) http.Header {
	t.Helper()
	e, ok := r.Set().Get(id)
	require.True(t, ok)
	require.NoError(t, e.Broken())
	list, err := e.Sign(t.Context(), "msg_1", at, []byte("body"), nil)
	require.NoError(t, err)
	h := http.Header{}
	for _, f := range list {
		h.Set(f.Name, f.Value)
	}
	return h
}

// verifies reports whether a signature of now is that of a key.
func verifies(t *testing.T, h http.Header, key string) bool {
	t.Helper()
	return verifiesAt(t, h, key, time.Now())
}

// verifiesAt is verifies at another time.
func verifiesAt(t *testing.T, h http.Header, key string, at time.Time) bool {
	t.Helper()
	hook, err := webhook.New(key)
	require.NoError(t, err)
	return hook.VerifyAt(h, []byte("body"), at) == nil
}

// within waits for a channel to be closed.
func within(t *testing.T, c <-chan struct{}) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(patience):
		require.Fail(t, "it takes too long")
	}
}

// eventually waits until a condition holds.
func eventually(t *testing.T, holds func() bool, what string) {
	t.Helper()
	require.Eventually(t, holds, patience, time.Millisecond, what)
}

// refused checks an error of the contract: its code, words of its message, and that it is no leak.
func refused(t *testing.T, err error, code events.Code, words ...string) {
	t.Helper()
	require.Equal(t, code, events.CodeOf(err), "%v", err)
	var coded *events.Error
	require.ErrorAs(t, err, &coded)
	for _, word := range words {
		require.Contains(t, coded.Message, word)
	}
	require.NotContains(t, coded.Message, canary)
}

// harmless checks that nothing of a secret shows.
func harmless(t *testing.T, shown any) {
	t.Helper()
	text, err := json.Marshal(shown)
	require.NoError(t, err)
	require.NotContains(t, string(text), canary)
	require.NotContains(t, fmt.Sprintf("%+v", shown), canary)
}

// store is a store of secrets that does as it is told.
type store struct {
	mu     sync.Mutex
	values map[string]string
	hang   map[string]chan struct{}
	err    error
}

func (s *store) Source() string { return "test" }

func (s *store) Get(ctx context.Context, name secret.Name) (secret.Entry, error) {
	s.mu.Lock()
	text, hang, err := s.values[name.String()], s.hang[name.String()], s.err
	s.mu.Unlock()
	if hang != nil {
		select {
		case <-hang:
		case <-ctx.Done():
			return secret.Entry{}, ctx.Err()
		}
	}
	if err != nil {
		return secret.Entry{}, fmt.Errorf("%w: %s", err, canary)
	}
	return secret.NewEntry("test", "", text)
}

// set changes a secret.
func (s *store) set(name, value string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.values[name] = value
}

// block makes questions about a secret hang until the returned function is called.
func (s *store) block(name string) (release func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := make(chan struct{})
	s.hang = map[string]chan struct{}{name: c}
	return sync.OnceFunc(func() { close(c) })
}
