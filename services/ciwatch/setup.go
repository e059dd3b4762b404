package ciwatch

import (
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/neuron7x/mlsdm-integrations/internal/config"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/internal/section"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/document"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge/github"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge/gitlab"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/hooks"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/policy"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/watch"
)

// References implements [config.Referrer]: it reads the file. What the service does later, it does with what was read here.
func (c *Config) References() ([]config.Reference, error) {
	doc, err := c.document()
	if err != nil {
		return nil, err
	}
	c.read = doc
	return config.BindVariables(doc.References())
}

// document returns what References read, or reads the file.
func (c Config) document() (*document.Document, error) {
	if c.read != nil {
		return c.read, nil
	}
	defaults := document.Defaults{Forge: githubName, Poll: document.Poll{Interval: c.PollInterval, Max: max(c.PollMax, c.PollInterval), Settle: c.Settle}}
	r := section.New(c.File)
	if c.File == "" {
		doc := document.Read(r, nil, defaults)
		return &doc, r.Err()
	}
	text, err := section.ReadFile(c.File)
	if err != nil {
		return nil, fmt.Errorf("ci-config: %w", err)
	}
	root, err := r.Document(text)
	if err != nil {
		return nil, fmt.Errorf("ci-config: %w", err)
	}
	doc := document.Read(r, root, defaults)
	if err := r.Err(); err != nil {
		return nil, fmt.Errorf("ci-config: %w", err)
	}
	return &doc, nil
}

// setup is what is watched and how: what the file says and, where it says nothing, the settings.
type setup struct {
	forges  []document.Forge
	watch   watch.Config
	sources map[string]hooks.Source // by path
}

// setup reads the configuration. Nothing is asked.
func (c Config) setup(version string) (setup, error) {
	doc, err := c.document()
	if err != nil {
		return setup{}, err
	}
	s := setup{forges: doc.Forges, sources: map[string]hooks.Source{}}
	if len(s.forges) == 0 {
		s.forges = []document.Forge{c.settingsForge()}
	}
	for _, f := range s.forges {
		made, source, err := makeForge(f, version)
		if err != nil {
			return setup{}, fmt.Errorf("forge %s: %w", f.Name, err)
		}
		s.watch.Forges = append(s.watch.Forges, watch.Forge{Forge: made, Silent: f.Silent})
		if len(f.WebhookSecrets) > 0 {
			s.sources["/"+f.Name+"/webhooks"] = source
		}
	}
	for _, r := range doc.Repositories {
		s.watch.Repositories = append(s.watch.Repositories, watch.Wanted{Forge: r.Forge, Owner: r.Owner, Pattern: r.Pattern, Name: r.Name})
	}
	if len(doc.Repositories) == 0 {
		if s.watch.Repositories, err = c.wanted(); err != nil {
			return setup{}, err
		}
	}
	s.watch.Rules = doc.Rules
	if doc.Rules == nil {
		rule, err := c.rule()
		if err != nil {
			return setup{}, err
		}
		s.watch.Rules = policy.Rules{rule}
	}
	s.watch.Pace = c.pace(doc.Poll)
	s.watch.Settle, s.watch.LeaseTTL, s.watch.Version = doc.Poll.Settle, c.LeaseTTL, version
	return s, s.check()
}

// check checks that what is wanted is on a forge that there is.
func (s setup) check() error {
	var errs []error
	for _, r := range s.watch.Repositories {
		if !slices.ContainsFunc(s.forges, func(f document.Forge) bool { return f.Name == r.Forge }) {
			errs = append(errs, fmt.Errorf("the repository %s is on %s, which is none of the forges", r.Name, r.Forge))
		}
	}
	return errors.Join(errs...)
}

// settingsForge is GitHub as the settings describe it.
func (c Config) settingsForge() document.Forge {
	f := document.Forge{Name: githubName, Kind: document.GitHub, URL: c.APIURL, WebhookSecrets: c.WebhookSecrets}
	if !c.Token.IsZero() {
		f.Tokens = []secret.Value{c.Token}
	}
	if c.AppID != 0 {
		f.App = &document.App{ID: c.AppID, Installation: c.AppInstallation, Key: c.AppKey}
	}
	return f
}

// makeForge makes a forge, and the source of its webhooks.
func makeForge(f document.Forge, version string) (forge.Forge, hooks.Source, error) {
	userAgent := "mlsdm-ciwatch/" + version
	switch f.Kind {
	case document.GitHub:
		cfg := github.Config{Name: f.Name, APIURL: f.URL, UserAgent: userAgent}
		for _, token := range f.Tokens {
			cfg.Credentials = append(cfg.Credentials, github.Credential{Token: token})
		}
		if f.App != nil {
			cfg.Credentials = append(cfg.Credentials, github.Credential{App: &github.App{
				ID: f.App.ID, InstallationID: f.App.Installation, PrivateKey: f.App.Key,
			}})
		}
		made, err := github.New(cfg)
		return made, githubSource(f), err
	case document.GitLab:
		made, err := gitlab.New(gitlab.Config{Name: f.Name, URL: f.URL, Tokens: f.Tokens, UserAgent: userAgent})
		return made, gitlabSource(f), err
	default:
		return nil, hooks.Source{}, fmt.Errorf("there is no kind %q of forges", f.Kind)
	}
}

// githubSource is how GitHub's webhooks are checked and read.
func githubSource(f document.Forge) hooks.Source {
	return hooks.Source{
		Forge: f.Name, Credential: github.HeaderSignature, Delivery: []string{github.HeaderDelivery}, Event: github.HeaderEvent,
		Events: []string{"workflow_run", "workflow_job", "check_suite", "check_run"}, Ping: "ping",
		Verify: func(h http.Header, body []byte) bool {
			return github.Verify(f.WebhookSecrets, h.Get(github.HeaderSignature), body)
		},
		Read: github.Sightings,
	}
}

// gitlabSource is how GitLab's webhooks are checked and read. They come with a token, which says whose they are before the body does.
func gitlabSource(f document.Forge) hooks.Source {
	good := func(token string) bool { return gitlab.Verify(f.WebhookSecrets, token) }
	return hooks.Source{
		Forge: f.Name, Credential: gitlab.HeaderToken, Glance: good, Event: gitlab.HeaderEvent,
		Delivery: []string{gitlab.HeaderIdempotency, gitlab.HeaderDelivery}, Events: []string{gitlab.EventPipeline, gitlab.EventJob},
		Verify: func(h http.Header, _ []byte) bool { return good(h.Get(gitlab.HeaderToken)) },
		Read:   gitlab.Sightings,
	}
}
