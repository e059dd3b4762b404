package secretd

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"

	"go.opentelemetry.io/otel/trace"

	"github.com/neuron7x/mlsdm-integrations/internal/health"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/internal/secret/aws"
	"github.com/neuron7x/mlsdm-integrations/internal/secret/azure"
	"github.com/neuron7x/mlsdm-integrations/internal/secret/env"
	"github.com/neuron7x/mlsdm-integrations/internal/secret/file"
	"github.com/neuron7x/mlsdm-integrations/internal/secret/vault"
)

// stores returns all stores. None is opened before it is used.
func (c Config) stores(lookup func(variable string) (string, bool), log *slog.Logger, checks *health.Checks, tracer trace.TracerProvider) map[string]*store {
	all := make(map[string]*store)
	for name, open := range map[string]func() (secret.Store, error){
		secret.StoreVault: func() (secret.Store, error) { return vault.New(c.Vault.config(log, tracer)) },
		secret.StoreAWS:   func() (secret.Store, error) { return aws.New(aws.Config{Region: c.AWSRegion, Tracer: tracer}) },
		secret.StoreAzure: func() (secret.Store, error) { return azure.New(azure.Config{VaultURL: c.AzureURL, Tracer: tracer}) },
		secret.StoreFile:  func() (secret.Store, error) { return c.openFiles(lookup) },
		secret.StoreEnv:   func() (secret.Store, error) { return env.New(lookup), nil },
	} {
		all[name] = &store{
			name: name, checks: checks,
			open: func() (secret.Store, error) {
				if err := c.checkStore(name); err != nil {
					return nil, err
				}
				return open()
			},
		}
	}
	return all
}

// openFiles opens the store of files, in which the files that hold secretd's own keys are none: whoever may refer to files must
// not have those.
func (c Config) openFiles(lookup func(variable string) (string, bool)) (secret.Store, error) {
	opened, err := file.New(c.FileRoots)
	if err != nil {
		return nil, err
	}
	return files{opened, c.ownFiles(lookup)}, nil
}

// ownFiles are the files that hold keys with which secretd signs, hashes, and is known to the bus and to stores. Those of the bus
// and of the clients of stores, who read their settings by themselves, are found as they find them.
func (c Config) ownFiles(lookup func(variable string) (string, bool)) []string {
	own := []string{
		c.File, c.SigningKeyFile, c.AuditKeyFile, c.Vault.TokenFile, c.Vault.RoleIDFile, c.Vault.SecretIDFile, c.Vault.JWTFile,
		vault.ServiceAccountToken,
	}
	for _, value := range []secret.Value{c.SigningKey, c.AuditKey, c.Vault.Token, c.Vault.SecretID} {
		if ref := value.Reference(); ref != nil && ref.Store() == secret.StoreFile {
			own = append(own, ref.Name())
		}
	}
	for _, variable := range []string{
		"NATS_NKEY", "NATS_CREDS", "NATS_KEY", "VAULT_CLIENT_KEY", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_SHARED_CREDENTIALS_FILE",
		"AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "AZURE_FEDERATED_TOKEN_FILE", "AZURE_CLIENT_CERTIFICATE_PATH",
	} {
		if path, ok := lookup(variable); ok {
			own = append(own, path)
		}
	}
	for _, variable := range []string{"NATS_PASSWORD", "NATS_TOKEN"} {
		if text, _ := lookup(variable); strings.HasPrefix(text, secret.StoreFile+":") {
			own = append(own, strings.TrimPrefix(text, secret.StoreFile+":"))
		}
	}
	return own
}

// files is a store of files but for those that are secretd's own.
type files struct {
	*file.Store

	own []string
}

// Get implements [secret.Store].
func (f files) Get(ctx context.Context, ref secret.Ref) (secret.Entry, error) {
	for _, own := range f.own {
		if own != "" && sameFile(own, ref.Path) {
			return secret.Entry{}, fmt.Errorf("%w: %s is secretd's own", secret.ErrDenied, ref.Path)
		}
	}
	return f.Store.Get(ctx, ref)
}

// sameFile reports whether two paths lead to the same file.
func sameFile(a, b string) bool {
	if filepath.Clean(a) == filepath.Clean(b) {
		return true
	}
	one, err := os.Stat(a)
	if err != nil {
		return false
	}
	other, err := os.Stat(b)
	return err == nil && os.SameFile(one, other)
}

// store is a store that is opened when it is used first, and that remembers how it last answered: asking one only to see whether it
// answers would cost what asking costs.
type store struct {
	name   string
	open   func() (secret.Store, error)
	checks *health.Checks
	used   func(secret.Store) // told, once, of the store that was opened

	mu     sync.Mutex
	opened secret.Store
	closed bool

	failed atomic.Pointer[error]
}

// Source implements [secret.Store].
func (s *store) Source() string { return s.name }

// Get implements [secret.Store].
func (s *store) Get(ctx context.Context, ref secret.Ref) (secret.Entry, error) {
	opened, err := s.ready()
	if err != nil {
		return secret.Entry{}, err
	}
	entry, err := opened.Get(ctx, ref)
	switch {
	case err == nil, errors.Is(err, secret.ErrNotFound), errors.Is(err, secret.ErrUnusable), errors.Is(err, secret.ErrGone): // it answered
		s.failed.Store(nil)
	case errors.Is(err, secret.ErrUnavailable), errors.Is(err, secret.ErrDenied):
		s.failed.Store(&err)
	}
	return entry, err
}

// ready returns the store, opened.
func (s *store) ready() (secret.Store, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.opened != nil:
		return s.opened, nil
	case s.closed:
		return nil, fmt.Errorf("%w: secretd is stopping", secret.ErrUnavailable)
	}
	opened, err := s.open()
	if err != nil {
		return nil, fmt.Errorf("%w: %s cannot be opened: %w", secret.ErrUnavailable, s.name, err)
	}
	s.opened = opened
	s.checks.Register(s.name, s.check)
	if s.used != nil {
		s.used(opened)
	}
	return opened, nil
}

// check tells of a store that failed when it was last asked. Without it secretd still has what other stores have.
func (s *store) check(context.Context) error {
	if err := s.failed.Load(); err != nil {
		return health.Degraded("%w", *err)
	}
	return nil
}

// close gives back what the store has lent.
func (s *store) close(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	closer, ok := s.opened.(interface {
		Close(ctx context.Context) error
	})
	if !ok {
		return nil
	}
	return closer.Close(ctx)
}
