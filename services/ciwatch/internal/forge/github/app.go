package github

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/bradleyfalzon/ghinstallation/v2"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge/rest"
)

// installation gets the tokens of an app's installation, one for an hour. It is used by its credential, one request at a time.
type installation struct {
	app   App
	forge *Forge

	mu       sync.Mutex
	exchange *ghinstallation.Transport // nil until there is a key, and after a token was refused
	key      fingerprint               // of the private key that exchange was made with
	token    secret.Value              // the last token
}

func newInstallation(app App, f *Forge) *installation { return &installation{app: app, forge: f} }

// current returns a token that is good for a minute at least. It asks GitHub for one where that is needed.
func (i *installation) current(ctx context.Context) (string, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	exchange, err := i.transport()
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, i.forge.timeout)
	defer cancel()
	token, err := exchange.Token(ctx)
	if err != nil {
		return "", i.failure(ctx, err)
	}
	i.token = secret.NewValue(token)
	return token, nil
}

// transport returns the one of the private key as it is now.
func (i *installation) transport() (*ghinstallation.Transport, error) {
	pem := i.app.PrivateKey.Reveal()
	if pem == "" {
		return nil, i.refused("there is no private key now: the store of secrets does not give it")
	}
	key := fingerprintOf(pem)
	if i.exchange != nil && key == i.key {
		return i.exchange, nil
	}
	i.key = key
	exchange, err := ghinstallation.New(tokenDoor{i.forge.transport}, i.app.ID, i.app.InstallationID, []byte(pem))
	if err != nil { // it may tell of the key
		return nil, i.refused("the private key is not one: it must be an RSA key, PEM")
	}
	exchange.BaseURL = strings.TrimSuffix(i.forge.base.String(), "/")
	i.exchange = exchange
	return exchange, nil
}

// forget has the next token be a new one.
func (i *installation) forget() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.exchange, i.token = nil, secret.Value{}
}

// last returns the last token, or nothing.
func (i *installation) last() string {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.token.Reveal()
}

// rekeyed reports whether the private key is another than the one that was used last.
func (i *installation) rekeyed() bool {
	pem := i.app.PrivateKey.Reveal()
	i.mu.Lock()
	defer i.mu.Unlock()
	return pem != "" && fingerprintOf(pem) != i.key
}

// failure turns what went wrong into an error of the contract.
func (i *installation) failure(ctx context.Context, err error) error {
	var refusal *ghinstallation.HTTPError
	if !errors.As(err, &refusal) || refusal.Response == nil {
		if direct, ok := errors.AsType[*events.Error](err); ok {
			return direct
		}
		return i.forge.exchangeFailure(ctx, err)
	}
	switch status := refusal.Response.StatusCode; {
	case status == http.StatusUnauthorized:
		return i.refused("GitHub does not accept the app's id with its private key")
	case status == http.StatusNotFound:
		return i.refused("GitHub knows no such installation of the app")
	case status == http.StatusForbidden && refusal.Response.Header.Get("Retry-After") == "" && refusal.Response.Header.Get("X-Ratelimit-Remaining") != "0":
		return i.refused("the installation is suspended, or may not be used")
	case status == http.StatusForbidden, status == http.StatusTooManyRequests:
		wait, said := askedWait(i.forge.now(), refusal.Response.Header)
		if !said {
			wait = defaultWait
		}
		return i.forge.rateLimited(wait)
	default:
		return i.forge.failed(events.CodeUnavailable, "GitHub gives no token for the app's installation: it answers "+refusal.Response.Status, nil)
	}
}

// refused is that the app is not accepted.
func (i *installation) refused(why string) error {
	return i.forge.failed(events.CodeUnauthenticated, "the app's installation: "+why, nil)
}

// tokenDoor lets nothing through to ghinstallation but tokens: it reads answers without end, and takes what it gets.
type tokenDoor struct{ next http.RoundTripper }

// RoundTrip implements [http.RoundTripper].
func (d tokenDoor) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := d.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, rest.MaxRefusal))
	if err != nil {
		return nil, err
	}
	if resp.StatusCode/100 == 2 {
		var told struct {
			Token     string    `json:"token"`
			ExpiresAt time.Time `json:"expires_at"`
		}
		if json.Unmarshal(body, &told) != nil || told.Token == "" || !isToken(told.Token) || told.ExpiresAt.IsZero() {
			return nil, errShape
		}
		if body, err = json.Marshal(map[string]any{"token": told.Token, "expires_at": told.ExpiresAt}); err != nil {
			return nil, errShape
		}
	}
	resp.Status = http.StatusText(resp.StatusCode)
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, nil
}
