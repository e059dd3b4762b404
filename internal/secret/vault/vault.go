// Package vault reads secrets from the KV engine of HashiCorp Vault or OpenBao, version 1 or 2.
package vault

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"

	"github.com/hashicorp/vault/api"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/internal/secret/bounded"
)

// Config says where secrets are. The secret "name" is the KV entry Path/name in the engine at Mount; its value is the
// field "value", or the only field there is.
type Config struct {
	Addr      string
	Token     secret.Value
	Mount     string
	Path      string
	KVVersion int // 1 or 2
}

// Validate checks the address, the mount, the path and the version.
func (c Config) Validate() error {
	var errs []error
	if u, err := url.Parse(c.Addr); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil {
		errs = append(errs, errors.New("the address is no http or https URL without a user"))
	}
	if c.Token.IsZero() {
		errs = append(errs, errors.New("there is no token"))
	}
	if c.Mount == "" || !plain(c.Mount) {
		errs = append(errs, fmt.Errorf("the mount %q is no plain path, like secret", c.Mount))
	}
	if !plain(c.Path) {
		errs = append(errs, fmt.Errorf("the path %q is no plain path, like team/mlsdm", c.Path))
	}
	if c.KVVersion != 1 && c.KVVersion != 2 {
		errs = append(errs, fmt.Errorf("the version of the KV engine is %d; it must be 1 or 2", c.KVVersion))
	}
	return errors.Join(errs...)
}

// plain reports whether a path leads where it seems to, below where it is put.
func plain(p string) bool {
	return p == path.Clean("/" + p)[1:] && !strings.ContainsAny(p, "?#%")
}

// Store is a KV engine as a store of secrets. Make one with [New].
type Store struct {
	read func(ctx context.Context, path string) (*api.KVSecret, error)
	path string
}

// New returns a store; it asks nothing yet. What Vault's own client reads from the environment besides the address and
// the token, such as VAULT_CACERT and VAULT_NAMESPACE, holds here too.
func New(cfg Config) (*Store, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("vault: %w", err)
	}
	settings := api.DefaultConfig()
	if settings.Error != nil {
		return nil, fmt.Errorf("vault: reading its environment: %w", settings.Error)
	}
	settings.Address, settings.AgentAddress = cfg.Addr, ""
	settings.Timeout, settings.MaxRetries = bounded.Timeout, 0 // who asks may ask again
	settings.HttpClient.Transport = bounded.Transport(settings.HttpClient.Transport)
	client, err := api.NewClient(settings)
	if err != nil {
		return nil, fmt.Errorf("vault: %w", err)
	}
	client.SetToken(cfg.Token.Reveal())
	read := client.KVv2(cfg.Mount).Get
	if cfg.KVVersion == 1 {
		read = client.KVv1(cfg.Mount).Get
	}
	return &Store{read: read, path: cfg.Path}, nil
}

// Source implements [secret.Store].
func (s *Store) Source() string { return "vault" }

// Get implements [secret.Store]. With version 2 of the engine entries have versions.
func (s *Store) Get(ctx context.Context, name secret.Name) (secret.Entry, error) {
	at := path.Join(s.path, name.String())
	found, err := s.read(ctx, at)
	if err != nil {
		return secret.Entry{}, failure(ctx, err)
	}
	if len(found.Data) == 0 { // this version was deleted
		return secret.Entry{}, fmt.Errorf("%s has no data: %w", at, secret.ErrNotFound)
	}
	field, ok := found.Data["value"]
	if !ok && len(found.Data) == 1 {
		for _, only := range found.Data {
			field = only
		}
	}
	text, ok := field.(string)
	if !ok {
		return secret.Entry{}, fmt.Errorf(`%w: %s has neither a text "value" nor a single field that is a text`, secret.ErrUnusable, at)
	}
	version := ""
	if found.VersionMetadata != nil {
		version = strconv.Itoa(found.VersionMetadata.Version)
	}
	return secret.NewEntry(s.Source(), version, text)
}

// failure says in the words of a store what Vault's client said. Answers are not repeated: they are not ours to print.
func failure(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("asking vault: %w", ctx.Err())
	}
	if errors.Is(err, api.ErrSecretNotFound) {
		return fmt.Errorf("vault: %w", secret.ErrNotFound)
	}
	if answer, ok := errors.AsType[*api.ResponseError](err); ok {
		kind := secret.ErrUnavailable // also sealed (503), a standby (429, 472, 473) and whatever else will not give it now
		switch answer.StatusCode {
		case http.StatusUnauthorized, http.StatusForbidden:
			kind = secret.ErrDenied
		case http.StatusNotFound:
			kind = secret.ErrNotFound
		}
		return fmt.Errorf("%w: vault answers %d", kind, answer.StatusCode)
	}
	if lost, ok := errors.AsType[*url.Error](err); ok {
		return fmt.Errorf("%w: %w", secret.ErrUnavailable, lost)
	}
	return fmt.Errorf("%w: vault's answer cannot be read; is the KV version right?", secret.ErrUnavailable)
}
