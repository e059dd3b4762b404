package gitlab

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
)

// DefaultURL is gitlab.com.
const DefaultURL = "https://gitlab.com"

// Defaults of a [Config].
const (
	DefaultName       = "gitlab"
	DefaultUserAgent  = "mlsdm-ciwatch"
	DefaultTimeout    = 20 * time.Second
	DefaultCacheBytes = 64 << 20
)

// Config says where a GitLab is and how it is asked. The zero value asks gitlab.com without a token.
type Config struct {
	// Name is the forge's name in the configuration; empty is [DefaultName].
	Name string
	// URL is where the GitLab is: [DefaultURL] when empty, https://HOST[/PATH] of another one. The REST API is below it at /api/v4, which may be
	// written, too.
	URL string
	// Tokens are personal, group or project access tokens, sent as PRIVATE-TOKEN to the host of URL only. To be asked a GitLab wants
	// read_api; to start pipelines, api. They may be live: each request takes the content as it is then. Without any, what is public can be
	// asked for.
	Tokens []secret.Value
	// UserAgent names the caller; empty is [DefaultUserAgent].
	UserAgent string
	// Timeout bounds one request with its answer; 0 is [DefaultTimeout].
	Timeout time.Duration
	// CacheBytes bounds what is kept of answers; 0 is [DefaultCacheBytes].
	CacheBytes int
	// Transport takes the place of the network; nil is the network.
	Transport http.RoundTripper
	// Now is the clock by which limits end; nil is [time.Now].
	Now func() time.Time
}

// maxTokens bounds the tokens of a configuration.
const maxTokens = 32

// Validate returns an error that names the first setting that is wrong, and repeats no secret. What a token holds is looked at when it
// is used: it may not be there yet.
func (c Config) Validate() error {
	if _, err := parseURL(c.URL); err != nil {
		return err
	}
	if strings.ContainsFunc(c.UserAgent, func(r rune) bool { return r < ' ' || r > '~' }) {
		return errors.New("the user agent must be printable ASCII")
	}
	if c.Timeout < 0 || c.CacheBytes < 0 {
		return errors.New("the timeout and the size of the cache must not be negative")
	}
	if len(c.Tokens) > maxTokens {
		return fmt.Errorf("there are %d tokens; at most %d are allowed", len(c.Tokens), maxTokens)
	}
	for i, token := range c.Tokens {
		if token.IsZero() {
			return fmt.Errorf("token %d is empty", i+1)
		}
	}
	return nil
}

// parseURL returns the base URL of the API, with a slash at its end.
func parseURL(raw string) (*url.URL, error) {
	if raw == "" {
		raw = DefaultURL
	}
	u, err := url.Parse(raw)
	switch {
	case err != nil: // the error repeats what may hold a password
		return nil, errors.New("the URL is not a URL")
	case u.Scheme != "https" && u.Scheme != "http", u.Hostname() == "":
		return nil, errors.New("the URL must be http(s)://HOST[/PATH]")
	case u.User != nil, u.RawQuery != "", u.Fragment != "":
		return nil, errors.New("the URL must have no user, query or fragment")
	}
	u.Path = strings.TrimSuffix(strings.TrimSuffix(u.Path, "/"), apiPath) + apiPath + "/"
	u.RawPath = ""
	return u, nil
}

// apiPath is where the REST API is below a GitLab.
const apiPath = "/api/v4"
