package vault

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	strict "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/hashicorp/vault/api"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/internal/secret/bounded"
)

// wire sends requests to Vault's API (https://developer.hashicorp.com/vault/api-docs).
type wire struct {
	client    *api.Client
	namespace string
}

// newWire returns a wire; it dials nobody.
func newWire(cfg Config) (wire, error) {
	settings := api.DefaultConfig()
	if settings.Error != nil {
		return wire{}, fmt.Errorf("vault: reading its environment: %w", settings.Error)
	}
	settings.Address, settings.AgentAddress = cfg.Addr, ""
	settings.MaxRetries = 0          // who asks may ask again
	settings.Timeout = 0             // ask has its own; theirs would end before the answer is read
	settings.DisableRedirects = true // standby does what is needed
	transport := settings.HttpClient.Transport
	if cfg.Transport != nil {
		transport = cfg.Transport
	}
	if t, ok := transport.(*http.Transport); ok {
		t.MaxResponseHeaderBytes = bounded.MaxHeader
		if t.TLSClientConfig != nil && t.TLSClientConfig.InsecureSkipVerify {
			cfg.Log.Warn("the certificate of vault is not checked: VAULT_SKIP_VERIFY is set")
		}
	}
	settings.HttpClient.Transport = bounded.Transport(standby{bounded.Traced(transport, cfg.Tracer, template)})
	client, err := api.NewClient(settings)
	if err != nil {
		return wire{}, fmt.Errorf("vault: %w", err)
	}
	client.ClearToken()                                                     // VAULT_TOKEN is for who configures us to say
	client.SetWrappingLookupFunc(func(string, string) string { return "" }) // VAULT_WRAP_TTL would wrap what we read
	return wire{client, cfg.Namespace}, nil
}

// answer is what Vault says.
type answer struct {
	status int

	RequestID     string         `json:"request_id"`
	LeaseID       string         `json:"lease_id"`
	LeaseDuration int64          `json:"lease_duration"` // seconds
	Renewable     bool           `json:"renewable"`
	Data          jsontext.Value `json:"data"`
	Auth          *authAnswer    `json:"auth"`
	Warnings      []string       `json:"warnings"`
	Errors        []string       `json:"errors"`
}

// authAnswer is the part of an answer that a login has.
type authAnswer struct {
	ClientToken   secret.Value `json:"client_token"`
	LeaseDuration int64        `json:"lease_duration"` // seconds; 0 is for ever
	Renewable     bool         `json:"renewable"`
}

// genuine reports whether an answer is Vault's, and not that of a proxy before it.
func (a answer) genuine() bool { return a.Errors != nil || a.RequestID != "" }

// ok reports whether Vault did what it was asked.
func (a answer) ok() bool { return a.status >= 200 && a.status < 300 }

// into decodes the data of an answer.
func (a answer) into(data any) error {
	if err := strict.Unmarshal(a.Data, data); err != nil { // its error may repeat what it read
		return unreadable()
	}
	return nil
}

// read asks for a path below /v1/.
func (w wire) read(ctx context.Context, token secret.Value, path string, query url.Values) (answer, error) {
	return w.ask(ctx, token, func(ctx context.Context, client *api.Logical) (*api.Response, error) {
		return client.ReadRawWithDataWithContext(ctx, path, query)
	})
}

// write puts members to a path below /v1/.
func (w wire) write(ctx context.Context, token secret.Value, path string, members map[string]string) (answer, error) {
	body, err := json.Marshal(members)
	if err != nil {
		return answer{}, fmt.Errorf("%w: asking vault: %w", secret.ErrUnusable, err)
	}
	return w.ask(ctx, token, func(ctx context.Context, client *api.Logical) (*api.Response, error) {
		return client.WriteRawWithContext(ctx, path, body)
	})
}

// ask sends a request within [bounded.Timeout]. It returns what Vault says, whatever the status, or why there is nothing: an
// error that wraps [secret.ErrUnavailable], or ctx's.
func (w wire) ask(ctx context.Context, token secret.Value, send func(context.Context, *api.Logical) (*api.Response, error)) (answer, error) {
	within, cancel := context.WithTimeout(ctx, bounded.Timeout)
	defer cancel()
	client := w.client.WithNamespace(w.namespace) // a copy
	client.SetToken(token.Reveal())
	resp, err := send(within, client.Logical())
	if resp != nil {
		defer resp.Body.Close()
	}
	if _, answered := errors.AsType[*api.ResponseError](err); err != nil && !answered {
		return answer{}, broken(ctx, err)
	}
	body, err := io.ReadAll(resp.Body)
	defer clear(body)
	if err != nil {
		return answer{}, broken(ctx, err)
	}
	a := answer{status: resp.StatusCode}
	if err := strict.Unmarshal(body, &a); err != nil && a.ok() && len(body) > 0 {
		return answer{}, unreadable()
	} else if err != nil { // the status says enough; what could be read of the rest does not count
		a = answer{status: resp.StatusCode}
	}
	return a, nil
}
