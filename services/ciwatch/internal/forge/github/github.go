// Package github asks GitHub, or a GitHub Enterprise Server, about workflow runs, starts them again, and reads its webhooks.
//
// Almost all that is asked is asked again and again, and costs nothing while the answer stays as it is: an answer is kept with its
// ETag, GitHub says that it has not changed, and does not count that. GitHub's ETags depend on the token; when that rotates, the
// one for the new token is reckoned from what is kept.
package github

import (
	"cmp"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/telemetry/httpspan"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge/rest"
)

// Forge implements [forge.Forge] for one GitHub. It is safe for concurrent use.
type Forge struct {
	name        string
	base        *url.URL
	userAgent   string
	transport   http.RoundTripper
	timeout     time.Duration
	now         func() time.Time
	credentials []*credential
	answers     *store

	choosing sync.Mutex

	mu    sync.Mutex
	moved map[string]string       // where a repository is that was renamed, by its old name
	blind map[blindness]time.Time // until when a credential is not asked for something
	users map[string]bool         // owners that are no organisation, by name
}

var _ forge.Forge = (*Forge)(nil)

// New returns the forge that cfg describes. It makes no request. The error names the setting that is wrong.
func New(cfg Config) (*Forge, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	base, err := parseAPIURL(cfg.APIURL)
	if err != nil {
		return nil, err
	}
	f := &Forge{
		name: cmp.Or(cfg.Name, DefaultName), base: base, userAgent: cmp.Or(cfg.UserAgent, DefaultUserAgent),
		transport: cfg.Transport, timeout: cmp.Or(cfg.Timeout, DefaultTimeout), now: cfg.Now, answers: newStore(cmp.Or(cfg.CacheBytes, DefaultCacheBytes)),
		moved: map[string]string{}, blind: map[blindness]time.Time{}, users: map[string]bool{},
	}
	if f.transport == nil {
		f.transport = rest.NewTransport(f.timeout)
	}
	f.transport = httpspan.Transport(f.transport, nil, httpspan.Options{Template: f.template})
	if f.now == nil {
		f.now = time.Now
	}
	tokens := 0
	for _, c := range cfg.Credentials {
		name := "no credential"
		switch {
		case c.App != nil:
			name = "app " + strconv.FormatInt(c.App.ID, 10) + " installation " + strconv.FormatInt(c.App.InstallationID, 10)
		case !c.Token.IsZero():
			tokens++
			name = "token " + strconv.Itoa(tokens)
		}
		f.credentials = append(f.credentials, newCredential(name, c, f))
	}
	if len(f.credentials) == 0 {
		f.credentials = []*credential{newCredential("no credential", Credential{}, f)}
	}
	return f, nil
}

// Name implements [forge.Forge].
func (f *Forge) Name() string { return f.name }

// Quotas implements [forge.Forge].
func (f *Forge) Quotas() []forge.Quota {
	quotas := make([]forge.Quota, len(f.credentials))
	for i, c := range f.credentials {
		quotas[i] = c.known(f.now())
	}
	return quotas
}

// Problem says that a credential is not used, and why.
type Problem struct {
	// Name is the credential's, as a [forge.Quota] has it.
	Name string
	// Err is an events.Error. It holds no secret.
	Err error
	// Until is when it is tried again, or earlier when it is another one by then.
	Until time.Time
}

// Problems returns the credentials that GitHub does not accept at this time, for the service's health. It asks nothing.
func (f *Forge) Problems() []Problem {
	var problems []Problem
	for _, c := range f.credentials {
		if p, ok := c.problem(); ok {
			problems = append(problems, p)
		}
	}
	return problems
}
