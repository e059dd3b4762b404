package ciwatch

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/internal/section"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/document"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge/github"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/pace"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/policy"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/watch"
)

// Config is what an operator sets.
type Config struct {
	File string `name:"ci-config" env:"CI_CONFIG" placeholder:"FILE" help:"YAML file with forges, repositories and rules: what is watched, how, and what is done about it. Where it says nothing, the other settings do."`

	Token           secret.Value   `name:"github-token" env:"GITHUB_TOKEN" placeholder:"TOKEN" help:"Reads the runs; it needs actions:read, and actions:write to run them again. Without it only public repositories can be watched, 60 requests an hour."`
	Repositories    []string       `name:"github-repository" env:"GITHUB_REPOSITORY" placeholder:"OWNER/NAME" help:"The repositories whose CI is watched, separated by commas; owner/* is all of an owner's. Without any, and without a ci-config, nothing is watched."`
	APIURL          string         `name:"github-api-url" env:"GITHUB_API_URL" default:"https://api.github.com" placeholder:"URL" help:"Base of GitHub's REST API; https://HOST/api/v3 for a GitHub Enterprise Server."`
	AppID           int64          `name:"github-app-id" env:"GITHUB_APP_ID" placeholder:"ID" help:"Id of a GitHub App that is used in the place of a token, or beside it."`
	AppInstallation int64          `name:"github-app-installation" env:"GITHUB_APP_INSTALLATION" placeholder:"ID" help:"Id of the app's installation."`
	AppKey          secret.Value   `name:"github-app-key" env:"GITHUB_APP_KEY" placeholder:"PEM" help:"The app's private key."`
	WebhookSecrets  []secret.Value `name:"github-webhook-secret" env:"GITHUB_WEBHOOK_SECRET" placeholder:"SECRET" help:"Signs GitHub's webhooks, which are taken at ci-webhook-addr under /github/webhooks. Of several, separated by commas, any does, so that it can be changed."`
	WebhookAddr     string         `name:"ci-webhook-addr" env:"CI_WEBHOOK_ADDR" default:"127.0.0.1:8082" placeholder:"HOST:PORT" help:"Where webhooks of forges are taken, if there is a secret that signs them."`

	Workflow string `name:"ci-workflow" env:"CI_WORKFLOW" placeholder:"FILE|NAME|ID" help:"The workflow that is watched, by its file name (ci.yml), name or id; * stands for anything. Without it all are, each by itself."`
	Branch   string `name:"ci-branch" env:"CI_BRANCH" default:"main" placeholder:"BRANCH" help:"The branch that is watched; HEAD is the repository's default branch, * stands for anything."`

	PollInterval     time.Duration `name:"ci-poll-interval" env:"CI_POLL_INTERVAL" default:"30s" placeholder:"DURATION" help:"How often a forge is asked about a repository in which something happens, 5s to 24h. An answer without news costs none of the rate limit."`
	PollMax          time.Duration `name:"ci-poll-max" env:"CI_POLL_MAX" default:"5m" placeholder:"DURATION" help:"How often it is asked about one in which nothing happens, ci-poll-interval to 24h."`
	FailureThreshold int           `name:"ci-failure-threshold" env:"CI_FAILURE_THRESHOLD" default:"3" placeholder:"N" help:"Failed runs in a row at which health is degraded, 1 to 1000."`
	PassesToClose    int           `name:"ci-passes-to-close" env:"CI_PASSES_TO_CLOSE" default:"1" placeholder:"N" help:"Passed runs in a row at which degraded health is healthy again, 1 to 64."`
	StaleAfter       time.Duration `name:"ci-stale-after" env:"CI_STALE_AFTER" default:"0s" placeholder:"DURATION" help:"How long a workflow may have no run, up to 8760h; 0s is for ever."`
	RunEvents        string        `name:"ci-run-events" env:"CI_RUN_EVENTS" default:"transitions" enum:"transitions,all" placeholder:"WHICH" help:"Of which runs events tell: transitions of those that change health, all of all."`

	Recovery         string        `name:"ci-recovery" env:"CI_RECOVERY" default:"publish" enum:"none,publish,rerun_failed_jobs,rerun" placeholder:"ACTION" help:"What is done when health degrades: none, publish (an event on which somebody else acts), rerun_failed_jobs or rerun. A ci-config can say more."`
	RecoveryDryRun   bool          `name:"ci-recovery-dry-run" env:"CI_RECOVERY_DRY_RUN" default:"true" negatable:"" help:"Only say what would be run again."`
	RecoveryCooldown time.Duration `name:"ci-recovery-cooldown" env:"CI_RECOVERY_COOLDOWN" default:"5m" placeholder:"DURATION" help:"The least time between two recoveries of a workflow on a branch, up to 168h."`

	LeaseTTL time.Duration `name:"ci-lease" env:"CI_LEASE" default:"10s" placeholder:"DURATION" help:"How long a replica that has died is waited for before another one watches its repositories, 500ms to 5m; the same for all replicas."`

	// MinPollInterval replaces the least PollInterval, for a demo or a test that asks nobody's server; 0 is 5 s.
	MinPollInterval time.Duration `kong:"-"`
	// Settle is that of the watch, for tests; 0 is its default.
	Settle time.Duration `kong:"-"`

	read *document.Document // what References read
}

// Bounds of settings. One poll in five seconds is 720 an hour, of the 5,000 that GitHub gives a token.
const (
	minPollInterval     = 5 * time.Second
	maxPollInterval     = 24 * time.Hour
	maxFailureThreshold = 1000
	maxPasses           = 64
	maxStaleAfter       = 8760 * time.Hour
	maxRecoveryCooldown = 7 * 24 * time.Hour
	minLease            = 500 * time.Millisecond
	maxLease            = 5 * time.Minute
)

// githubName is the name of the forge that the settings describe.
const githubName = github.DefaultName

// Validate returns an error that names the settings that are wrong.
func (c Config) Validate() error {
	least := minPollInterval
	if c.MinPollInterval > 0 {
		least = c.MinPollInterval
	}
	errs := []error{}
	complain := func(wrong bool, format string, args ...any) {
		if wrong {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	complain(c.PollInterval < least || c.PollInterval > maxPollInterval, "ci-poll-interval is %v; it must be %v to %v", c.PollInterval, least, maxPollInterval)
	complain(c.PollMax != 0 && c.PollMax > maxPollInterval, "ci-poll-max is %v; it must be at most %v", c.PollMax, maxPollInterval)
	complain(c.FailureThreshold < 1 || c.FailureThreshold > maxFailureThreshold, "ci-failure-threshold is %d; it must be 1 to %d", c.FailureThreshold, maxFailureThreshold)
	complain(c.PassesToClose < 0 || c.PassesToClose > maxPasses, "ci-passes-to-close is %d; it must be 1 to %d", c.PassesToClose, maxPasses)
	complain(c.StaleAfter < 0 || c.StaleAfter > maxStaleAfter, "ci-stale-after is %v; it must be 0s to %v", c.StaleAfter, maxStaleAfter)
	complain(c.RecoveryCooldown < 0 || c.RecoveryCooldown > maxRecoveryCooldown, "ci-recovery-cooldown is %v; it must be 0s to %v", c.RecoveryCooldown, maxRecoveryCooldown)
	complain(c.LeaseTTL != 0 && (c.LeaseTTL < minLease || c.LeaseTTL > maxLease), "ci-lease is %v; it must be %v to %v", c.LeaseTTL, minLease, maxLease)
	if _, err := c.wanted(); err != nil {
		errs = append(errs, err)
	}
	if _, err := c.rule(); err != nil {
		errs = append(errs, err)
	}
	if (c.AppID != 0) != (c.AppInstallation != 0) || (c.AppID != 0) == c.AppKey.IsZero() {
		errs = append(errs, errors.New("github-app-id, github-app-installation and github-app-key belong together: give all or none"))
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	if _, err := c.setup(""); err != nil && !errors.Is(err, section.ErrUnreadable) { // that it can be read is asked where the service runs
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// exposesToken reports whether the token is sent to another machine without encryption.
func (c Config) exposesToken() bool {
	u, err := url.Parse(c.APIURL)
	if err != nil || u.Scheme != "http" || c.Token.IsZero() || u.Hostname() == "localhost" {
		return false
	}
	ip, err := netip.ParseAddr(u.Hostname())
	return err != nil || !ip.IsLoopback()
}

// wanted are the repositories of the settings.
func (c Config) wanted() ([]watch.Wanted, error) {
	var all []watch.Wanted
	for _, name := range c.Repositories {
		name = strings.TrimSpace(name)
		wanted, err := watch.ParseWanted(githubName, name)
		if err != nil {
			return nil, fmt.Errorf("github-repository: %w", err)
		}
		all = append(all, wanted)
	}
	return all, nil
}

// rule is that of the settings.
func (c Config) rule() (policy.Rule, error) {
	rule := policy.Rule{
		Name: "settings", FailuresToAlert: c.FailureThreshold, PassesToClose: max(c.PassesToClose, 1), StaleAfter: c.StaleAfter,
		AllRuns: c.RunEvents == "all",
		Recovery: policy.Recovery{
			Action: c.Recovery, DryRun: c.RecoveryDryRun && c.Recovery != policy.Publish, Cooldown: c.RecoveryCooldown,
			AttemptsPerCommit: policy.DefaultAttemptsPerCommit, AttemptsPerHour: policy.DefaultAttemptsPerHour,
		},
	}
	if rule.Recovery.Action == "" {
		rule.Recovery.Action = policy.Publish
	}
	for setting, pattern := range map[string]string{"ci-workflow": c.Workflow, "ci-branch": c.Branch} {
		if pattern == "" {
			continue
		}
		p, err := policy.NewPattern(pattern)
		if err != nil {
			return rule, fmt.Errorf("%s: %w", setting, err)
		}
		if setting == "ci-workflow" {
			rule.Workflows = []policy.Pattern{p}
		} else {
			rule.Branches = []policy.Pattern{p}
		}
	}
	return rule, nil
}

// pace is how often repositories are polled.
func (c Config) pace(poll document.Poll) pace.Config {
	cfg := pace.Config{Interval: poll.Interval, Max: poll.Max, Share: poll.Share}
	if c.MinPollInterval > 0 { // nobody's server
		cfg.Gap, cfg.PerMinute = min(c.MinPollInterval, time.Second), 1<<20
	}
	return cfg
}
