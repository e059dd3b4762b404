// Package azure reads secrets from Azure Key Vault.
package azure

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azsecrets"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/internal/secret/bounded"
)

// Config says where secrets are. Key Vault knows letters, digits and dashes in names only: the secret "openai_api_key" is
// openai-api-key there.
type Config struct {
	// VaultURL is https://NAME.vault.azure.net.
	VaultURL string
	// Credential and Transport replace what the SDK finds and uses by itself, for tests.
	Credential azcore.TokenCredential
	Transport  policy.Transporter
}

// Validate checks the URL.
func (c Config) Validate() error {
	if u, err := url.Parse(c.VaultURL); err != nil || u.Host == "" || u.Scheme != "https" || u.User != nil {
		return errors.New("the vault's URL is no https URL without a user, like https://NAME.vault.azure.net")
	}
	return nil
}

// Store is a Key Vault as a store of secrets. Make one with [New].
type Store struct{ client *azsecrets.Client }

// New returns a store; it asks nothing yet. Credentials come from where the Azure SDK looks for them: the environment, a
// workload identity, a managed identity, the Azure CLI.
func New(cfg Config) (*Store, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("azure: %w", err)
	}
	options := azcore.ClientOptions{
		Transport: cfg.Transport,
		Retry:     policy.RetryOptions{MaxRetries: -1}, // who asks may ask again
	}
	if options.Transport == nil {
		options.Transport = bounded.Client()
	}
	credential := cfg.Credential
	if credential == nil {
		found, err := azidentity.NewDefaultAzureCredential(&azidentity.DefaultAzureCredentialOptions{ClientOptions: options})
		if err != nil {
			return nil, fmt.Errorf("azure: %w", err)
		}
		credential = found
	}
	client, err := azsecrets.NewClient(cfg.VaultURL, credential, &azsecrets.ClientOptions{ClientOptions: options})
	if err != nil {
		return nil, fmt.Errorf("azure: %w", err)
	}
	return &Store{client}, nil
}

// Source implements [secret.Store].
func (s *Store) Source() string { return "azure" }

// KeyName returns what Key Vault calls a secret, in which only letters, digits and dashes can stand.
func KeyName(name secret.Name) string {
	return strings.NewReplacer("_", "-", ".", "-").Replace(name.String())
}

// Get implements [secret.Store]. It reads the current version.
func (s *Store) Get(ctx context.Context, ref secret.Ref) (secret.Entry, error) {
	found, err := s.client.GetSecret(ctx, ref.Path, ref.Version, nil)
	if err != nil {
		return secret.Entry{}, failure(ctx, err)
	}
	if found.Value == nil {
		return secret.Entry{}, fmt.Errorf("%s has no value: %w", ref.Path, secret.ErrNotFound)
	}
	version := ""
	if found.ID != nil {
		version = found.ID.Version()
	}
	return secret.NewEntry(s.Source(), version, *found.Value)
}

// failure says in the words of a store what the SDK said. Its errors repeat the whole answer, which is not ours to print.
func failure(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("asking azure: %w", ctx.Err())
	}
	if answer, ok := errors.AsType[*azcore.ResponseError](err); ok {
		kind := secret.ErrUnavailable
		switch answer.StatusCode {
		case http.StatusNotFound:
			kind = secret.ErrNotFound
		case http.StatusUnauthorized, http.StatusForbidden:
			kind = secret.ErrDenied
		case http.StatusBadRequest:
			kind = secret.ErrUnusable
		}
		return fmt.Errorf("%w: azure answers %d %s", kind, answer.StatusCode, answer.ErrorCode)
	}
	if _, ok := errors.AsType[*azidentity.AuthenticationFailedError](err); ok {
		return fmt.Errorf("%w: azure gives us no token", secret.ErrDenied)
	}
	if lost, ok := errors.AsType[*url.Error](err); ok {
		return fmt.Errorf("%w: %w", secret.ErrUnavailable, lost)
	}
	return fmt.Errorf("%w: azure's client failed (%T)", secret.ErrUnavailable, err)
}
