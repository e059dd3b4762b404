package github

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge/rest"
)

const (
	runsPerPage = 30   // small answers stay unchanged longer, and 30 runs reach back far enough to see them started again
	runSize     = 1024 // bytes that a run takes in memory, roughly
)

// runsPage is what is kept of a list of runs.
type runsPage struct {
	runs    []forge.Run
	more    bool
	skipped int
}

func (p *runsPage) size() int { return len(p.runs) * runSize }

// Runs implements [forge.Forge]: GET /repos/{owner}/{repo}/actions/runs?status=completed.
func (f *Forge) Runs(ctx context.Context, q forge.Query) (forge.Page, error) {
	query := url.Values{
		"status": {completed}, "exclude_pull_requests": {"true"}, "per_page": {strconv.Itoa(runsPerPage)},
	}
	if q.Branch != "" {
		if err := rest.CheckBranch(q.Branch); err != nil {
			return forge.Page{}, err
		}
		query.Set("branch", q.Branch)
	}
	if q.Page > 1 {
		query.Set("page", strconv.Itoa(q.Page))
	}
	r, err := f.askAbout(ctx, q.Repository, request{
		method: http.MethodGet, path: "/actions/runs", query: query, what: "the runs of " + q.Repository,
		read: func(r *reply) (value, error) { return readRuns(r, q.Repository) },
	})
	if err != nil {
		return forge.Page{}, err
	}
	page := r.value.(*runsPage) //nolint:errcheck,forcetypeassert // it is what read made
	return forge.Page{
		Runs: slices.Clone(page.runs), More: page.more, Skipped: page.skipped, NotModified: r.unchanged, Wait: pollInterval(r.header),
	}, nil
}

// askAbout asks about a repository.
func (f *Forge) askAbout(ctx context.Context, repository string, req request) (*reply, error) {
	if err := checkRepository(repository); err != nil {
		return nil, err
	}
	req.repository, req.scope = repository, strings.ToLower(repository)
	return f.ask(ctx, req)
}

// readRuns reads a list of completed runs.
func readRuns(r *reply, repository string) (value, error) {
	runs, err := decodeRuns(r)
	if err != nil {
		return nil, err
	}
	page := &runsPage{runs: make([]forge.Run, 0, len(runs)), more: hasNext(r.header)}
	for _, wire := range runs {
		if run, err := wire.run(repository); err == nil && run.Done {
			page.runs = append(page.runs, run)
		} else {
			page.skipped++
		}
	}
	return page, nil
}

// decodeRuns returns the entries of a list of runs, as they came.
func decodeRuns(r *reply) ([]wireRun, error) {
	var body struct {
		Runs *[]wireRun `json:"workflow_runs"`
	}
	if err := json.Unmarshal(r.body, &body); err != nil {
		return nil, err
	}
	if body.Runs == nil || len(*body.Runs) > 100 {
		return nil, errShape
	}
	return *body.Runs, nil
}

// hasNext reports whether the Link header names a next page.
func hasNext(h http.Header) bool {
	for _, header := range h.Values("Link") {
		for link := range strings.SplitSeq(header, ",") {
			if _, parameters, ok := strings.Cut(link, ">"); ok && strings.Contains(parameters, `rel="next"`) {
				return true
			}
		}
	}
	return false
}

// oneRun is what is kept of a run.
type oneRun forge.Run

func (*oneRun) size() int { return runSize }

// Run implements [forge.Forge]: GET /repos/{owner}/{repo}/actions/runs/{id}.
func (f *Forge) Run(ctx context.Context, repository string, id int64) (forge.Run, error) {
	path, err := runPath(id)
	if err != nil {
		return forge.Run{}, err
	}
	r, err := f.askAbout(ctx, repository, request{
		method: http.MethodGet, path: path, query: url.Values{"exclude_pull_requests": {"true"}},
		what: "run " + strconv.FormatInt(id, 10) + " of " + repository,
		read: func(r *reply) (value, error) { return readRun(r, repository, id) },
	})
	if err != nil {
		return forge.Run{}, err
	}
	return forge.Run(*r.value.(*oneRun)), nil //nolint:errcheck,forcetypeassert // it is what read made
}

// readRun reads one run.
func readRun(r *reply, repository string, id int64) (value, error) {
	var wire wireRun
	if err := json.Unmarshal(r.body, &wire); err != nil {
		return nil, err
	}
	run, err := wire.run(repository)
	if err != nil {
		return nil, err
	}
	if run.ID != id {
		return nil, errIDs
	}
	kept := oneRun(run)
	return &kept, nil
}
