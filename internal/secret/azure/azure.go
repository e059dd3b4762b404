// Package azure reads secrets from Azure Key Vault: azure:openai-key, behind @ the id of a version, and of a secret that is a
// JSON object one text, azure:openai#api_key.
//
// A secret that is disabled, or whose date of expiry has passed, is [secret.ErrGone]; one that has such a date ahead is valid
// until then. Key Vault itself gives out the latter two alike and calls the dates advice, which is taken here. Before the date
// from which it is valid a secret is [secret.ErrUnusable]. Of what was deleted Key Vault says no more than of what never was,
// which is [secret.ErrNotFound].
package azure

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azsecrets"
	"go.opentelemetry.io/otel/trace"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/internal/secret/bounded"
)

// A request that finds no connection, or a fault of theirs, is made once more, soon. One that is throttled is not: who asks
// may ask again, and not at once.
const (
	retries    = 1
	retryDelay = 100 * time.Millisecond
	maxDelay   = 200 * time.Millisecond
)

// Config says where secrets are. Key Vault knows letters, digits and dashes in names only; see [KeyName].
type Config struct {
	// VaultURL is https://NAME.vault.azure.net, or of another cloud.
	VaultURL string
	// Credential and Transport replace what the SDK finds and uses by itself, for tests.
	Credential azcore.TokenCredential
	Transport  http.RoundTripper
	// Tracer makes spans of the requests, which name no secret; nil makes none.
	Tracer trace.TracerProvider
}

// Validate checks the URL.
func (c Config) Validate() error {
	if u, err := url.Parse(c.VaultURL); err != nil || u.Host == "" || u.Scheme != "https" || u.User != nil || u.RawQuery != "" || strings.Trim(u.Path, "/") != "" {
		return errors.New("the vault's URL is no https URL of a host alone, like https://NAME.vault.azure.net")
	}
	return nil
}

// Store is a Key Vault as a store of secrets. Make one with [New].
type Store struct{ client *azsecrets.Client }

// New returns a store; it asks nothing yet. Credentials come from where the Azure SDK looks for them: the environment, a
// workload identity, a managed identity, the Azure CLI. A token is sent only to who shows, by the challenge, to be of the
// cloud that the token is for.
func New(cfg Config) (*Store, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("azure: %w", err)
	}
	client := bounded.Client()
	if cfg.Transport != nil {
		client = bounded.Over(cfg.Transport)
	}
	client.Transport = bounded.Traced(client.Transport, cfg.Tracer, template)
	options := azcore.ClientOptions{Transport: client, Retry: policy.RetryOptions{
		MaxRetries: retries, RetryDelay: retryDelay, MaxRetryDelay: maxDelay,
		StatusCodes: []int{
			http.StatusRequestTimeout, http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout,
		},
	}}
	credential := cfg.Credential
	if credential == nil {
		found, err := azidentity.NewDefaultAzureCredential(&azidentity.DefaultAzureCredentialOptions{ClientOptions: options})
		if err != nil {
			return nil, fmt.Errorf("azure: %w", err)
		}
		credential = found
	}
	secrets, err := azsecrets.NewClient(cfg.VaultURL, credential, &azsecrets.ClientOptions{ClientOptions: options})
	if err != nil {
		return nil, fmt.Errorf("azure: %w", err)
	}
	return &Store{secrets}, nil
}

// Source implements [secret.Store].
func (s *Store) Source() string { return secret.StoreAzure }

// KeyName returns what Key Vault calls a secret of which nothing else is said: the name with a dash for every underscore and
// dot, as only letters, digits and dashes can stand there.
func KeyName(name secret.Name) string {
	return strings.NewReplacer("_", "-", ".", "-").Replace(name.String())
}

// Get implements [secret.Store]. It takes at most [bounded.Timeout], retries and credentials included.
func (s *Store) Get(ctx context.Context, ref secret.Ref) (secret.Entry, error) {
	if err := ref.Check(s.Source()); err != nil {
		return secret.Entry{}, fmt.Errorf("%w: %w", secret.ErrDenied, err)
	}
	found, err := s.ask(ctx, ref)
	if err != nil {
		return secret.Entry{}, failure(ctx, err)
	}
	expires, err := valid(found.Attributes, time.Now())
	if err != nil {
		return secret.Entry{}, err
	}
	text := ""
	if found.Value != nil {
		text = *found.Value
	}
	if text, err = secret.Pick(text, ref.Field); err != nil {
		return secret.Entry{}, err
	}
	version := ""
	if found.ID != nil {
		version = found.ID.Version()
	}
	entry, err := secret.NewEntry(s.Source(), version, text)
	if err != nil {
		return secret.Entry{}, err
	}
	entry.ExpiresAt = expires
	return entry, nil
}

// ask asks beside the caller, as the SDK does not always end with its context: who waits for a token that another one is
// getting waits as long as that one does.
func (s *Store) ask(ctx context.Context, ref secret.Ref) (azsecrets.GetSecretResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, bounded.Timeout)
	defer cancel()
	type answer struct {
		found azsecrets.GetSecretResponse
		err   error
	}
	answers := make(chan answer, 1)
	go func() {
		var a answer
		defer func() {
			if p := recover(); p != nil { // it does on a challenge that is no URL
				a.err = fmt.Errorf("azure's client panics: %T", p)
			}
			answers <- a
		}()
		a.found, a.err = s.client.GetSecret(ctx, ref.Path, ref.Version, nil)
	}()
	select {
	case a := <-answers:
		return a.found, a.err
	case <-ctx.Done():
		return azsecrets.GetSecretResponse{}, ctx.Err()
	}
}

// valid returns until when a secret is valid, zero for ever, and an error if it is not so now.
func valid(a *azsecrets.SecretAttributes, now time.Time) (time.Time, error) {
	switch {
	case a == nil:
		return time.Time{}, nil
	case a.Enabled != nil && !*a.Enabled:
		return time.Time{}, fmt.Errorf("%w: it is disabled", secret.ErrGone)
	case a.NotBefore != nil && now.Before(*a.NotBefore):
		return time.Time{}, fmt.Errorf("%w: it is valid only from %s", secret.ErrUnusable, a.NotBefore.UTC().Format(time.RFC3339))
	case a.Expires == nil:
		return time.Time{}, nil
	case !now.Before(*a.Expires):
		return time.Time{}, fmt.Errorf("%w: it has expired at %s", secret.ErrGone, a.Expires.UTC().Format(time.RFC3339))
	default:
		return *a.Expires, nil
	}
}
