package github

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
)

// DefaultAPIURL is the API of github.com.
const DefaultAPIURL = "https://api.github.com"

// Defaults of a [Config].
const (
	DefaultName       = "github"
	DefaultUserAgent  = "mlsdm-ciwatch"
	DefaultTimeout    = 20 * time.Second
	DefaultCacheBytes = 64 << 20
)

// Config says where a GitHub is and how it is asked. The zero value asks github.com without a credential.
type Config struct {
	// Name is the forge's name in the configuration; empty is [DefaultName].
	Name string
	// APIURL is the base of the REST API: [DefaultAPIURL] when empty, https://HOST/api/v3 of a GitHub Enterprise Server.
	APIURL string
	// Credentials are those that requests are made with, to the host of APIURL only. Without any, what is public can be asked for,
	// 60 requests an hour.
	Credentials []Credential
	// UserAgent names the caller to GitHub, which refuses requests without one; empty is [DefaultUserAgent]. It must not be that of
	// a browser, curl or wget, to which GitHub writes its answers in another way than it signs them.
	UserAgent string
	// Timeout bounds one request with its answer; 0 is [DefaultTimeout].
	Timeout time.Duration
	// CacheBytes bounds what is kept of answers, so that they can be asked for again for free; 0 is [DefaultCacheBytes].
	CacheBytes int
	// Transport takes the place of the network; nil is the network.
	Transport http.RoundTripper
	// Now is the clock by which limits end; nil is [time.Now]. The tokens of apps end by [time.Now] in any case.
	Now func() time.Time
}

// Credential is what requests are made with: a token or an app. The zero value is none.
type Credential struct {
	// Token is a personal access token, sent as a bearer token. It may be live: each request takes the content as it is then.
	Token secret.Value
	// App is the installation of a GitHub App.
	App *App
}

// App is an installation of a GitHub App, whose token GitHub gives for an hour at a time.
type App struct {
	// ID and InstallationID are GitHub's ids.
	ID             int64
	InstallationID int64
	// PrivateKey is the app's key, PEM. It may be live.
	PrivateKey secret.Value
}

// maxCredentials bounds the credentials of a configuration.
const maxCredentials = 32

// Validate returns an error that names the first setting that is wrong, and repeats no secret.
func (c Config) Validate() error {
	if _, err := parseAPIURL(c.APIURL); err != nil {
		return err
	}
	if strings.ContainsFunc(c.UserAgent, func(r rune) bool { return r < ' ' || r > '~' }) {
		return errors.New("the user agent must be printable ASCII")
	}
	for _, name := range []string{"curl", "Wget", "Safari", "Firefox"} {
		if strings.Contains(c.UserAgent, name) {
			return fmt.Errorf("the user agent must not have %s in it: GitHub answers it in another way", name)
		}
	}
	if c.Timeout < 0 || c.CacheBytes < 0 {
		return errors.New("the timeout and the size of the cache must not be negative")
	}
	if len(c.Credentials) > maxCredentials {
		return fmt.Errorf("there are %d credentials; at most %d are allowed", len(c.Credentials), maxCredentials)
	}
	for i, credential := range c.Credentials {
		if err := credential.validate(); err != nil {
			return fmt.Errorf("credential %d: %w", i+1, err)
		}
	}
	return nil
}

// validate checks that it is one thing, and whole. What a secret holds is looked at when it is used: it may not be there yet.
func (c Credential) validate() error {
	switch {
	case c.App == nil:
		return nil
	case !c.Token.IsZero():
		return errors.New("it is both a token and an app; it must be one")
	case c.App.ID <= 0 || c.App.InstallationID <= 0:
		return errors.New("the ids of an app and of its installation must be greater than 0")
	case c.App.PrivateKey.IsZero():
		return errors.New("an app has no private key")
	}
	return nil
}

// parseAPIURL returns the base URL with a slash at its end.
func parseAPIURL(raw string) (*url.URL, error) {
	if raw == "" {
		raw = DefaultAPIURL
	}
	u, err := url.Parse(raw)
	switch {
	case err != nil: // the error repeats what may hold a password
		return nil, errors.New("the API's URL is not a URL")
	case u.Scheme != "https" && u.Scheme != "http", u.Host == "":
		return nil, errors.New("the API's URL must be http(s)://HOST[/PATH]")
	case u.User != nil, u.RawQuery != "", u.Fragment != "":
		return nil, errors.New("the API's URL must have no user, query or fragment")
	}
	u.Path = strings.TrimSuffix(u.Path, "/") + "/"
	u.RawPath = ""
	return u, nil
}
