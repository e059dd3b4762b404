// Package vault reads secrets from HashiCorp Vault or OpenBao: from a KV engine, version 1 or 2, and from any other engine, such
// as one that lends credentials of a database.
//
// A reference whose path does not begin with a slash is an entry of the configured KV engine: vault:mlsdm/openai#api_key@3. One
// that does is a path of the API, vault:/database/creds/app#password. What Vault lends there is one lease for all fields of a
// path and all who ask. It is renewed at two thirds of its time; when it cannot be renewed any more, the next who asks gets a new
// one, as does who asks after Vault has revoked it. [Store.Close] gives back what was lent, and the token of a login.
package vault

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
)

// Store is Vault as a store of secrets. Make one with [New]; close it with [Store.Close].
type Store struct {
	wire   wire
	mount  string
	kv     int          // 1, 2, or 0: ask
	seen   atomic.Int32 // the version of KV that Vault told
	life   *lifetime
	tokens *tokens
	leases *leases
}

// New returns a store; it asks nothing yet.
func New(cfg Config) (*Store, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("vault: %w", err)
	}
	cfg = cfg.withDefaults()
	wire, err := newWire(cfg)
	if err != nil {
		return nil, err
	}
	sealer, err := newSealer()
	if err != nil {
		return nil, fmt.Errorf("vault: %w", err)
	}
	s := &Store{wire: wire, mount: cfg.Mount, kv: cfg.KVVersion, life: newLifetime()}
	s.leases = &leases{ask: s.ask, wire: wire, life: s.life, log: cfg.Log, sealer: sealer, held: map[string]*lease{}}
	s.tokens = &tokens{
		wire: wire, life: s.life, log: cfg.Log, auth: cfg.Auth,
		gatherer: gatherer{cfg: cfg, wire: wire}, replaced: s.leases.replaced,
	}
	s.leases.check = s.tokens.check
	return s, nil
}

// Source implements [secret.Store].
func (s *Store) Source() string { return secret.StoreVault }

// Format implements [fmt.Formatter]: every verb prints the store's name, and nothing that it holds.
func (s *Store) Format(f fmt.State, _ rune) {
	// A writer that fails is the concern of the caller of fmt, who sees the same error.
	_, _ = f.Write([]byte(s.Source()))
}

// Close ends the store: it gives our token back if it was gained by a login, or else the leases one by one, within ctx. What
// could not be given back is an error; it ends by itself. A Get that comes later finds the store unavailable.
func (s *Store) Close(ctx context.Context) error {
	err := s.life.close(ctx)
	remain, failed := s.tokens.revoke(ctx)
	if err = errors.Join(err, failed, s.leases.revoke(ctx, remain)); err != nil {
		return fmt.Errorf("vault: %w", err)
	}
	return nil
}

// Get implements [secret.Store]. An entry has a version in version 2 of KV, and where it is lent; one that is lent has a time at
// which it ends, unless it is renewed until then: ask again for the new time.
func (s *Store) Get(ctx context.Context, ref secret.Ref) (secret.Entry, error) {
	if err := ref.Check(s.Source()); err != nil {
		return secret.Entry{}, fmt.Errorf("%w: %w", secret.ErrDenied, err)
	}
	if err := ctx.Err(); err != nil {
		return secret.Entry{}, fmt.Errorf("asking vault: %w", err)
	}
	if path, ok := strings.CutPrefix(ref.Path, "/"); ok {
		return s.anywhere(ctx, ref, path)
	}
	return s.inKV(ctx, ref)
}

// inKV reads an entry of the KV engine.
func (s *Store) inKV(ctx context.Context, ref secret.Ref) (secret.Entry, error) {
	query, err := pinned(ref)
	if err != nil {
		return secret.Entry{}, err
	}
	kv, err := s.version(ctx)
	if err != nil {
		return secret.Entry{}, err
	}
	path := s.mount + "/data/" + ref.Path
	if kv == 1 {
		if query != nil {
			return secret.Entry{}, fmt.Errorf("%w: version 1 of KV has no versions, and the reference pins one", secret.ErrUnusable)
		}
		path = s.mount + "/" + ref.Path
	}
	a, session, err := s.ask(ctx, func(ctx context.Context, session *session) (answer, error) {
		return s.wire.read(ctx, session.token, path, query)
	})
	if err != nil {
		return secret.Entry{}, err
	}
	defer clear(a.Data)
	if kv == 2 && (a.ok() || a.status == http.StatusNotFound && len(a.Warnings) == 0 && len(a.Data) > 0 && a.Data.Kind() == '{') {
		return versioned(a.Data, ref, session)
	}
	if !a.ok() {
		if s.kv == 0 && len(a.Warnings) > 0 {
			s.seen.Store(0) // the engine has been upgraded
		}
		return secret.Entry{}, a.refusal()
	}
	return fields(a.Data, ref, session)
}

// version returns the version of the KV engine. Vault tells everyone who may read anything there.
func (s *Store) version(ctx context.Context) (int, error) {
	if s.kv != 0 {
		return s.kv, nil
	}
	if seen := s.seen.Load(); seen != 0 {
		return int(seen), nil
	}
	a, _, err := s.ask(ctx, func(ctx context.Context, session *session) (answer, error) {
		return s.wire.read(ctx, session.token, "sys/internal/ui/mounts/"+s.mount, nil)
	})
	if err != nil {
		return 0, err
	}
	if !a.ok() {
		return 0, fmt.Errorf("asking for the version of KV: %w", a.refusal())
	}
	var about struct {
		Options map[string]string `json:"options"`
	}
	if err := a.into(&about); err != nil {
		return 0, err
	}
	kv := int32(1)
	if about.Options["version"] == "2" {
		kv = 2
	}
	s.seen.Store(kv)
	return int(kv), nil
}

// anywhere reads a path of any engine.
func (s *Store) anywhere(ctx context.Context, ref secret.Ref, path string) (secret.Entry, error) {
	if ofVault(path) {
		return secret.Entry{}, fmt.Errorf("%w: below /sys and /auth are no secrets, but Vault itself", secret.ErrDenied)
	}
	query, err := pinned(ref)
	if err != nil {
		return secret.Entry{}, err
	}
	if query != nil && !strings.Contains(path, "/data/") {
		return secret.Entry{}, fmt.Errorf("%w: there are no versions but in version 2 of KV, at /MOUNT/data/PATH", secret.ErrUnusable)
	}
	found, err := s.leases.get(ctx, path, query)
	if err != nil {
		return secret.Entry{}, err
	}
	defer clear(found.data)
	session := s.tokens.now()
	if found.lease != nil {
		session = found.lease.session
	}
	if looksVersioned(found.data) || query != nil {
		return versioned(found.data, ref, session)
	}
	entry, err := fields(found.data, ref, session)
	if l := found.lease; err == nil && l != nil {
		entry.Version, entry.ExpiresAt = l.version(), l.until()
	}
	return entry, err
}

// ofVault reports whether a path leads to Vault itself: to what lies below /sys and /auth, of the namespace that is configured or of
// one below it, whose names may stand in front. There may be secrets in a folder auth, too, as names of folders are free; but not
// at auth/token, where our own token tells what it is. What stands behind /data/ is named as somebody likes.
func ofVault(path string) bool {
	before, _, _ := strings.Cut(path, "/data/")
	parts := strings.Split(before, "/")
	for i, part := range parts {
		isLast := i+1 == len(parts)
		switch {
		case i == 0 && (part == "sys" || part == "auth"):
			return true
		case !isLast && (part == "sys" || part == "auth" && parts[i+1] == "token"):
			return true
		}
	}
	return false
}

// pinned returns the query for the version that a reference pins, or nil.
func pinned(ref secret.Ref) (url.Values, error) {
	if ref.Version == "" {
		return nil, nil //nolint:nilnil // nothing is asked for
	}
	n, err := strconv.ParseUint(ref.Version, 10, 31)
	if err != nil || n == 0 || ref.Version != strconv.FormatUint(n, 10) {
		return nil, fmt.Errorf("%w: a version in vault is a number from 1 on", secret.ErrUnusable)
	}
	return url.Values{"version": {ref.Version}}, nil
}

// ask sends what needs a token. When Vault refuses the token, it is sent once more, with another one.
func (s *Store) ask(ctx context.Context, send func(context.Context, *session) (answer, error)) (answer, *session, error) {
	if s.life.over() {
		return answer{}, nil, errClosed
	}
	session, err := s.tokens.get(ctx)
	if err != nil {
		return answer{}, nil, err
	}
	a, err := send(ctx, session)
	if err != nil || a.status != http.StatusForbidden {
		return a, session, err
	}
	next, err := s.tokens.doubt(ctx, session)
	if err != nil || next == session {
		return a, session, err
	}
	a, err = send(ctx, next)
	return a, next, err
}
