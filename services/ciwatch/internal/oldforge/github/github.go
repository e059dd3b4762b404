// Package github lists the completed workflow runs of a repository on github.com or a GitHub Enterprise Server.
package github

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/google/go-github/v60/github"

	forge "github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/oldforge"
)

const (
	pageSize  = 30  // small answers stay unchanged longer, and 30 runs reach back far enough to see them started again
	maxBranch = 255 // bytes
	maxText   = 256 // bytes of a name or commit in an answer
)

// Source implements [forge.Source] for one repository. It is safe for concurrent use.
type Source struct {
	client   *github.Client
	known    *conditionalTransport
	owner    string
	name     string
	workflow string

	mu      sync.Mutex
	branch  string    // empty until the default branch is known
	resting time.Time // nothing is asked before, since GitHub said so
}

// New returns the source that cfg describes. It makes no request. The error names the setting that is wrong.
func New(cfg Config) (*Source, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	base, err := parseAPIURL(cfg.APIURL)
	if err != nil {
		return nil, err
	}
	owner, name, err := splitRepository(cfg.Repository)
	if err != nil {
		return nil, err
	}
	known, httpClient := newHTTPClient(base, cfg)
	client := github.NewClient(httpClient)
	client.BaseURL = base
	client.UserAgent = cfg.UserAgent
	if client.UserAgent == "" {
		client.UserAgent = "mlsdm-ciwatch"
	}
	source := &Source{client: client, known: known, owner: owner, name: name, workflow: cfg.Workflow, branch: cfg.Branch}
	if source.branch == DefaultBranch {
		source.branch = ""
	}
	return source, nil
}

// CompletedRuns implements [forge.Source]: GET /repos/{owner}/{repo}/actions/[workflows/{workflow}/]runs.
//
// A pull request from a fork whose branch has the watched name is left out: it says nothing about ours.
func (s *Source) CompletedRuns(ctx context.Context, page int) (forge.Page, error) {
	if err := s.rested(); err != nil {
		return forge.Page{}, err
	}
	branch, err := s.watchedBranch(ctx)
	if err != nil {
		return forge.Page{}, err
	}
	opts := &github.ListWorkflowRunsOptions{
		Branch: branch, Status: "completed", ExcludePullRequests: true,
		ListOptions: github.ListOptions{Page: page, PerPage: pageSize},
	}
	var (
		runs *github.WorkflowRuns
		resp *github.Response
	)
	if s.workflow == "" {
		runs, resp, err = s.client.Actions.ListRepositoryWorkflowRuns(ctx, s.owner, s.name, opts)
	} else {
		runs, resp, err = s.client.Actions.ListWorkflowRunsByFileName(ctx, s.owner, s.name, s.workflow, opts)
	}
	if err == nil && (runs == nil || runs.TotalCount == nil && runs.WorkflowRuns == nil) {
		err = errors.New("the answer is no list of workflow runs") // {}, null or nothing at all
	}
	if err != nil {
		return forge.Page{}, s.failed(ctx, err, resp)
	}
	result := forge.Page{More: resp.NextPage > page, Quota: quota(resp)}
	for _, run := range runs.WorkflowRuns {
		switch converted, ok := s.convert(run, branch); {
		case !ok:
			result.Skipped++
		case !fromFork(run):
			result.Runs = append(result.Runs, converted)
		}
	}
	return result, nil
}

// watchedBranch returns the branch of the configuration or, asked for once, the repository's default branch.
func (s *Source) watchedBranch(ctx context.Context) (string, error) {
	s.mu.Lock()
	branch := s.branch
	s.mu.Unlock()
	if branch != "" {
		return branch, nil
	}
	repository, resp, err := s.client.Repositories.Get(ctx, s.owner, s.name)
	if err == nil && (repository.GetDefaultBranch() == "" || checkBranch(repository.GetDefaultBranch()) != nil) {
		err = errors.New("the repository has no usable default branch")
	}
	if err != nil {
		return "", s.failed(ctx, err, resp)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.branch = repository.GetDefaultBranch()
	return s.branch, nil
}

// failed returns the error of a request, and draws the consequences for the next one.
func (s *Source) failed(ctx context.Context, err error, resp *github.Response) error {
	if resp != nil && resp.StatusCode == http.StatusOK {
		s.known.forget()
	}
	failure := s.failure(ctx, err, resp)
	if wait := failure.RetryAfter; wait > 0 {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.resting = time.Now().Add(wait)
	}
	return failure
}

// rested returns an error while GitHub wants to be left alone; asking all the same would make the wait longer.
func (s *Source) rested() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if wait := time.Until(s.resting); wait > 0 {
		return rateLimited(wait)
	}
	return nil
}

// convert checks and bounds one entry of the list; it is false for what is no completed run.
func (s *Source) convert(run *github.WorkflowRun, branch string) (forge.Run, bool) {
	if run.GetID() <= 0 || run.GetWorkflowID() <= 0 || run.GetRunNumber() < 0 || run.GetRunAttempt() < 0 ||
		run.GetConclusion() == "" || (run.GetStatus() != "completed" && run.GetStatus() != "") {
		return forge.Run{}, false
	}
	started := run.GetRunStartedAt().UTC()
	if started.IsZero() {
		started = run.GetCreatedAt().UTC()
	}
	completed := run.GetUpdatedAt().UTC() // a run has no completed_at; this is what changed last
	if completed.Before(started) {
		completed = started
	}
	return forge.Run{
		ID: run.GetID(), Attempt: max(run.GetRunAttempt(), 1), Number: run.GetRunNumber(),
		WorkflowID: run.GetWorkflowID(), Workflow: s.workflowName(run), Branch: branch,
		HeadSHA: bounded(run.GetHeadSHA()), Conclusion: forge.Conclusion(bounded(run.GetConclusion())),
		URL: webURL(run.GetHTMLURL()), StartedAt: sane(started), CompletedAt: sane(completed),
	}, true
}

// workflowName returns the name for people, or the best that is known in its place.
func (s *Source) workflowName(run *github.WorkflowRun) string {
	for _, name := range []string{run.GetName(), s.workflow} {
		if name = strings.TrimSpace(bounded(name)); name != "" {
			return name
		}
	}
	return "unnamed"
}

// fromFork reports whether run is of a pull request of another repository.
func fromFork(run *github.WorkflowRun) bool {
	if event := run.GetEvent(); event != "pull_request" && event != "pull_request_target" {
		return false
	}
	return run.GetHeadRepository().GetID() == 0 || run.GetHeadRepository().GetID() != run.GetRepository().GetID()
}

// bounded makes a text of an answer valid, printable UTF-8 of at most maxText bytes.
func bounded(text string) string {
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r <= 0x9f || r == utf8.RuneError {
			return -1
		}
		return r
	}, text)
	if len(text) <= maxText {
		return text
	}
	return strings.ToValidUTF8(text[:maxText], "")
}

// webURL returns raw when it is an absolute http(s) URL of reasonable size, otherwise nothing.
func webURL(raw string) string {
	const most = 2048
	u, err := url.Parse(raw)
	if err != nil || len(raw) > most || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") {
		return ""
	}
	return u.String()
}

// sane keeps a time within what RFC 3339 can say.
func sane(t time.Time) time.Time {
	if t.Year() < 1970 || t.Year() > 9999 {
		return time.Unix(0, 0).UTC()
	}
	return t
}

// quota returns the rate limit that an answer reports.
func quota(resp *github.Response) forge.Quota {
	return forge.Quota{Limit: max(resp.Rate.Limit, 0), Remaining: max(resp.Rate.Remaining, 0), Reset: resp.Rate.Reset.Time}
}
