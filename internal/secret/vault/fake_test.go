package vault_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/internal/secret/secrettest"
	"github.com/neuron7x/mlsdm-integrations/internal/secret/vault"
)

// root is a token that a fake accepts for ever.
const root = "hvs.root-" + secrettest.Canary

// grant is what a fake has granted for a time: a token or a lease.
type grant struct {
	ends, most time.Time // most is the end behind which it is not renewed; zero is never
	renewable  bool
}

// fake answers as Vault does (https://developer.hashicorp.com/vault/api-docs): KV, tokens, logins, leases. It is a double for
// what the real one, in test/vaultsrv, cannot be made to do, or would take real time for.
type fake struct {
	kv       int
	versions map[string][]any // by path; nil is a version that was deleted

	tokenTTL, tokenMost time.Duration // of logins; 0 is for ever
	leaseTTL, leaseMost time.Duration
	fixed               bool // neither tokens nor leases can be renewed
	blind               bool // tokens may not look at themselves
	forbidden           map[string]bool
	login               func(members map[string]string) int // status of a login, or 0

	mu     sync.Mutex
	tokens map[string]*grant
	leases map[string]*grant
	asked  []string // METHOD path
	fail   func(method, path string) int
	made   int
}

func newFake() *fake {
	return &fake{
		kv: 2, versions: map[string][]any{}, forbidden: map[string]bool{}, tokens: map[string]*grant{root: {}}, leases: map[string]*grant{},
		leaseTTL: time.Minute,
	}
}

// put adds a version of an entry.
func (f *fake) put(path string, fields any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.versions[path] = append(f.versions[path], fields)
}

// failing makes requests fail with the status that fail returns, unless it is 0.
func (f *fake) failing(fail func(method, path string) int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fail = fail
}

// count returns how often something was asked: "GET kv/data/a".
func (f *fake) count(what string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.asked) - len(slices.DeleteFunc(slices.Clone(f.asked), func(asked string) bool { return asked == what }))
}

// end ends all grants of a kind whose key has a prefix.
func (f *fake) end(grants map[string]*grant, prefix string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for key := range grants {
		if strings.HasPrefix(key, prefix) {
			delete(grants, key)
		}
	}
}

// alive returns how many there are.
func (f *fake) alive(grants map[string]*grant) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, g := range grants {
		if g.valid() {
			n++
		}
	}
	return n
}

func (g *grant) valid() bool { return g != nil && (g.ends.IsZero() || time.Now().Before(g.ends)) }

// grant grants something new under a key.
func (f *fake) grant(ttl, most time.Duration) *grant {
	g := &grant{renewable: !f.fixed}
	if ttl > 0 {
		g.ends = time.Now().Add(ttl)
	}
	if most > 0 {
		g.most = time.Now().Add(most)
	}
	return g
}

// renew extends a grant and returns its seconds.
func (g *grant) renew(ttl time.Duration) int {
	g.ends = time.Now().Add(ttl)
	if !g.most.IsZero() && g.ends.After(g.most) {
		g.ends = g.most
	}
	return int(time.Until(g.ends) / time.Second)
}

// ServeHTTP implements [http.Handler].
func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var members map[string]string
	_ = json.NewDecoder(r.Body).Decode(&members)
	path := strings.TrimPrefix(r.URL.Path, "/v1/")
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, r.Method+" "+path)
	status, body := http.StatusForbidden, map[string]any{"errors": []string{"permission denied for " + secrettest.Canary}}
	token := r.Header.Get("X-Vault-Token")
	g := f.tokens[token]
	switch {
	case r.Header.Get("X-Vault-Request") != "true":
	case f.fail != nil && f.fail(r.Method, path) != 0:
		status, body = f.fail(r.Method, path), map[string]any{"errors": []string{"failing " + secrettest.Canary}}
	case strings.HasPrefix(path, "auth/") && strings.HasSuffix(path, "/login"):
		status, body = f.logIn(members)
	case !g.valid() || f.forbidden[path]:
	default:
		status, body = f.answer(r, path, token, g, members)
	}
	if body != nil && body["errors"] == nil {
		body["request_id"] = "3f2a"
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if body != nil {
		_ = json.NewEncoder(w).Encode(body)
	}
}

func (f *fake) logIn(members map[string]string) (int, map[string]any) {
	if f.login != nil {
		if status := f.login(members); status != 0 {
			return status, map[string]any{"errors": []string{"no " + members["jwt"] + members["secret_id"]}}
		}
	}
	f.made++
	token := "hvs.login-" + strconv.Itoa(f.made) + "-" + secrettest.Canary
	g := f.grant(f.tokenTTL, f.tokenMost)
	f.tokens[token] = g
	return http.StatusOK, map[string]any{"auth": map[string]any{
		"client_token": token, "lease_duration": int(f.tokenTTL / time.Second), "renewable": g.renewable,
	}}
}

func (f *fake) answer(r *http.Request, path, token string, g *grant, members map[string]string) (int, map[string]any) {
	lease := f.leases[members["lease_id"]]
	noLease := map[string]any{"errors": []string{"invalid lease"}}
	switch r.Method + " " + path {
	case "GET auth/token/lookup-self":
		if f.blind {
			return http.StatusForbidden, map[string]any{"errors": []string{"permission denied"}}
		}
		ttl := 0
		if !g.ends.IsZero() {
			ttl = int(time.Until(g.ends) / time.Second)
		}
		return http.StatusOK, map[string]any{"data": map[string]any{"id": token, "ttl": ttl, "renewable": g.renewable}}
	case "PUT auth/token/renew-self":
		if !g.renewable {
			return http.StatusBadRequest, map[string]any{"errors": []string{"not renewable"}}
		}
		return http.StatusOK, map[string]any{"auth": map[string]any{"client_token": token, "lease_duration": g.renew(f.tokenTTL), "renewable": true}}
	case "PUT auth/token/revoke-self":
		delete(f.tokens, token)
		clear(f.leases)
		return http.StatusNoContent, nil
	case "PUT sys/leases/lookup":
		if !lease.valid() {
			return http.StatusBadRequest, noLease
		}
		return http.StatusOK, map[string]any{"data": map[string]any{"ttl": int(time.Until(lease.ends) / time.Second)}}
	case "PUT sys/leases/renew":
		if !lease.valid() || !lease.renewable {
			return http.StatusBadRequest, noLease
		}
		return http.StatusOK, map[string]any{"lease_id": members["lease_id"], "lease_duration": lease.renew(f.leaseTTL), "renewable": true}
	case "PUT sys/leases/revoke":
		delete(f.leases, members["lease_id"])
		return http.StatusNoContent, nil
	case "GET sys/internal/ui/mounts/kv/app":
		return http.StatusOK, map[string]any{"data": map[string]any{"type": "kv", "options": map[string]any{"version": strconv.Itoa(f.kv)}}}
	}
	if role, ok := strings.CutPrefix(path, "database/creds/"); ok && r.Method == http.MethodGet {
		f.made++
		id := path + "/" + strconv.Itoa(f.made)
		f.leases[id] = f.grant(f.leaseTTL, f.leaseMost)
		return http.StatusOK, map[string]any{
			"lease_id": id, "lease_duration": int(f.leaseTTL / time.Second), "renewable": !f.fixed,
			"data": map[string]any{"username": fmt.Sprintf("v-%s-%d", role, f.made), "password": fmt.Sprintf("%s-%d", secrettest.Canary, f.made)},
		}
	}
	return f.entry(r, path)
}

// entry answers for KV.
func (f *fake) entry(r *http.Request, path string) (int, map[string]any) {
	prefix := map[int]string{1: "kv/app/", 2: "kv/app/data/"}[f.kv]
	name, ok := strings.CutPrefix(path, prefix)
	all := f.versions[name]
	n := len(all)
	if pinned := r.URL.Query().Get("version"); pinned != "" {
		n, _ = strconv.Atoi(pinned)
	}
	switch {
	case r.Method != http.MethodGet || !ok:
		if f.kv == 2 && strings.HasPrefix(path, "kv/app/") {
			return http.StatusNotFound, map[string]any{"data": nil, "warnings": []string{"Invalid path for a versioned K/V secrets engine."}}
		}
		return http.StatusNotFound, map[string]any{"errors": []string{"no handler for route"}}
	case n < 1 || n > len(all):
		return http.StatusNotFound, map[string]any{"errors": []string{}}
	case f.kv == 1:
		return http.StatusOK, map[string]any{"data": all[n-1], "lease_duration": 2764800}
	}
	metadata := map[string]any{"created_time": "2026-01-31T12:00:00Z", "deletion_time": "", "destroyed": false, "version": n, "custom_metadata": nil}
	status := http.StatusOK
	if all[n-1] == nil {
		metadata["deletion_time"], status = "2026-02-01T12:00:00Z", http.StatusNotFound
	}
	return status, map[string]any{"data": map[string]any{"data": all[n-1], "metadata": metadata}}
}

// RoundTrip implements [http.RoundTripper] without a network, so that a test can run in a bubble of testing/synctest.
func (f *fake) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := req.Context().Err(); err != nil {
		return nil, err
	}
	return handled(req, f.ServeHTTP), nil
}

// handled has a request answered by a handler.
func handled(req *http.Request, handle http.HandlerFunc) *http.Response {
	server := req.Clone(req.Context())
	if server.Body == nil {
		server.Body = http.NoBody
	}
	rec := httptest.NewRecorder()
	handle(rec, server)
	resp := rec.Result()
	resp.Request = req
	return resp
}

// config is how a store reaches a fake without a network, by its root token.
func config(t *testing.T, f *fake) vault.Config {
	t.Helper()
	return vault.Config{Addr: "http://vault:8200", Token: secret.NewValue(root), Mount: "kv/app", KVVersion: 2, Transport: f, Log: logger(t)}
}

// logger returns a logger whose lines must not hold the canary.
func logger(t *testing.T) *slog.Logger {
	t.Helper()
	var lines lockedBuffer
	t.Cleanup(func() { secrettest.RequireNoCanary(t, lines.String()) })
	return slog.New(slog.NewTextHandler(&lines, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

var _ io.Writer = (*lockedBuffer)(nil)

// open returns a store, which is closed at the end.
func open(t *testing.T, cfg vault.Config) *vault.Store {
	t.Helper()
	s, err := vault.New(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Close(t.Context()) }) // its context has ended: nothing is waited for
	return s
}

// ask asks for what a reference says.
func ask(t *testing.T, s secret.Store, ref string) (secret.Entry, error) {
	t.Helper()
	parsed, err := secret.ParseRef(ref)
	require.NoError(t, err)
	entry, err := s.Get(t.Context(), parsed)
	if err != nil {
		secrettest.RequireQuiet(t, err)
	}
	return entry, err
}

// pass lets time pass in a bubble of testing/synctest, and what it sets going come to rest.
func pass(d time.Duration) {
	time.Sleep(d) //nolint:forbidigo // the clock of the bubble
	synctest.Wait()
}

// has asks for what is there.
func has(t *testing.T, s secret.Store, ref, want string) secret.Entry {
	t.Helper()
	entry, err := ask(t, s, ref)
	require.NoError(t, err)
	require.Equal(t, want, entry.Value.Reveal())
	return entry
}

// lacks asks for what is not to be had.
func lacks(t *testing.T, s secret.Store, ref string, kind error) {
	t.Helper()
	_, err := ask(t, s, ref)
	secrettest.RequireKind(t, err, kind)
}
