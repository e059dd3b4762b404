package ciwatch

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/oldforge/github"
	tracker "github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/oldtracker"
)

// Config is what an operator sets.
type Config struct {
	Token            secret.Value  `name:"github-token" env:"GITHUB_TOKEN" placeholder:"TOKEN" help:"Reads the runs; it needs actions:read. Without it only public repositories can be watched, 60 requests an hour."`
	Repository       string        `name:"github-repository" env:"GITHUB_REPOSITORY" placeholder:"OWNER/NAME" help:"The repository whose CI is watched. Without it nothing is watched."`
	APIURL           string        `name:"github-api-url" env:"GITHUB_API_URL" default:"https://api.github.com" placeholder:"URL" help:"Base of GitHub's REST API; https://HOST/api/v3 for a GitHub Enterprise Server."`
	Workflow         string        `name:"ci-workflow" env:"CI_WORKFLOW" placeholder:"FILE|ID" help:"The workflow that is watched, by its file name (ci.yml) or id. Without it all are, each by itself."`
	Branch           string        `name:"ci-branch" env:"CI_BRANCH" default:"main" placeholder:"BRANCH" help:"The branch that is watched; HEAD is the repository's default branch."`
	PollInterval     time.Duration `name:"ci-poll-interval" env:"CI_POLL_INTERVAL" default:"30s" placeholder:"DURATION" help:"How often GitHub is asked, 5s to 24h. An answer without news costs none of the rate limit."`
	FailureThreshold int           `name:"ci-failure-threshold" env:"CI_FAILURE_THRESHOLD" default:"3" placeholder:"N" help:"Failed runs in a row at which health is degraded, 1 to 1000."`
	RecoveryCooldown time.Duration `name:"ci-recovery-cooldown" env:"CI_RECOVERY_COOLDOWN" default:"5m" placeholder:"DURATION" help:"The least time between two recoveries, up to 168h."`

	// MinPollInterval replaces the least PollInterval, for a demo or a test that asks nobody's server; 0 is 5 s.
	MinPollInterval time.Duration `kong:"-"`
}

// Bounds of settings.
const (
	minPollInterval     = 5 * time.Second
	maxPollInterval     = 24 * time.Hour
	maxFailureThreshold = 1000
	maxRecoveryCooldown = 7 * 24 * time.Hour
)

// Validate returns an error that names every setting that is wrong. Without a repository the rest must be right too.
func (c Config) Validate() error {
	least := minPollInterval
	if c.MinPollInterval > 0 {
		least = c.MinPollInterval
	}
	errs := []error{}
	if c.PollInterval < least || c.PollInterval > maxPollInterval {
		errs = append(errs, fmt.Errorf("ci-poll-interval is %v; it must be %v to %v", c.PollInterval, least, maxPollInterval))
	}
	if c.FailureThreshold < 1 || c.FailureThreshold > maxFailureThreshold {
		errs = append(errs, fmt.Errorf("ci-failure-threshold is %d; it must be 1 to %d", c.FailureThreshold, maxFailureThreshold))
	}
	if c.RecoveryCooldown < 0 || c.RecoveryCooldown > maxRecoveryCooldown {
		errs = append(errs, fmt.Errorf("ci-recovery-cooldown is %v; it must be 0s to %v", c.RecoveryCooldown, maxRecoveryCooldown))
	}
	forge := c.github("")
	if c.Repository == "" {
		forge.Repository = "nobody/nothing"
	}
	return errors.Join(append(errs, forge.Validate())...)
}

// exposesToken reports whether the token would leave this machine without encryption.
func (c Config) exposesToken() bool {
	u, err := url.Parse(c.APIURL)
	if err != nil || u.Scheme != "http" || c.Token.IsZero() || u.Hostname() == "localhost" {
		return false
	}
	ip, err := netip.ParseAddr(u.Hostname())
	return err != nil || !ip.IsLoopback()
}

// github is the part of the configuration that says what to watch.
func (c Config) github(userAgent string) github.Config {
	return github.Config{
		APIURL: c.APIURL, Token: c.Token, Repository: c.Repository, Workflow: c.Workflow, Branch: c.Branch, UserAgent: userAgent,
	}
}

// rules is the part that says when health changes.
func (c Config) rules() tracker.Rules {
	return tracker.Rules{Threshold: c.FailureThreshold, Cooldown: c.RecoveryCooldown}
}
