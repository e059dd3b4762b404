// Package gitlab asks GitLab, gitlab.com or another one, about pipelines, starts them again, and reads its webhooks.
//
// A run is a pipeline, and a workflow is all pipelines of a project: GitLab's pipelines have no other kind. GitLab does not count the
// attempts of a pipeline; here an attempt is named by when it ended. A list of pipelines does not say that, nor who started them, so
// that each new one costs a request more, and one for the merge request that it may be for; both are kept. What has not changed
// need not be sent again, but GitLab counts it against the rate limit all the same.
package gitlab

import (
	"cmp"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/internal/telemetry/httpspan"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge/rest"
)

// Forge implements [forge.Forge] for one GitLab. It is safe for concurrent use.
type Forge struct {
	name        string
	base        *url.URL
	userAgent   string
	transport   http.RoundTripper
	timeout     time.Duration
	now         func() time.Time
	credentials []*credential
	answers     *store

	mu    sync.Mutex
	moved map[string]string       // where a project is that was renamed, by its old name
	blind map[blindness]time.Time // until when a credential is not asked for something
	users map[string]bool         // owners that are no group, by name
}

var _ forge.Forge = (*Forge)(nil)

// New returns the forge that cfg describes. It makes no request. The error names the setting that is wrong.
func New(cfg Config) (*Forge, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	base, err := parseURL(cfg.URL)
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
	for i, token := range cfg.Tokens {
		f.credentials = append(f.credentials, newCredential("token "+strconv.Itoa(i+1), token, f))
	}
	if len(f.credentials) == 0 {
		f.credentials = []*credential{newCredential("no credential", secret.Value{}, f)}
	}
	return f, nil
}

// Name implements [forge.Forge].
func (f *Forge) Name() string { return f.name }

// Quotas implements [forge.Forge]. A GitLab may have no limits, or tell of them to nobody who has not met one.
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

// Problems returns the credentials that GitLab does not accept at this time, for the service's health. It asks nothing.
func (f *Forge) Problems() []Problem {
	var problems []Problem
	for _, c := range f.credentials {
		if p, ok := c.problem(); ok {
			problems = append(problems, p)
		}
	}
	return problems
}
