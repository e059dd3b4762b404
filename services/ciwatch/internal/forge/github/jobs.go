package github

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge"
)

// jobsPerPage is as many as GitHub gives at once.
const jobsPerPage = 100

// jobsPage is a part of the list of jobs.
type jobsPage struct {
	jobs []forge.Job
	more bool
}

func (p *jobsPage) size() int { return len(p.jobs) * runSize }

// Jobs implements [forge.Forge]: GET /repos/{owner}/{repo}/actions/runs/{id}/attempts/{attempt}/jobs.
func (f *Forge) Jobs(ctx context.Context, run forge.Run) ([]forge.Job, error) {
	path, err := runPath(run.ID)
	if err != nil {
		return nil, err
	}
	if run.Attempt < 1 {
		return nil, events.Errorf(events.CodeInvalidArgument, "the attempt is %d; attempts count from 1", run.Attempt)
	}
	path += "/attempts/" + strconv.Itoa(run.Attempt) + "/jobs"
	var jobs []forge.Job
	for page := 1; page <= forge.MaxJobs/jobsPerPage; page++ {
		query := url.Values{"per_page": {strconv.Itoa(jobsPerPage)}, "page": {strconv.Itoa(page)}}
		r, err := f.askAbout(ctx, run.Repository, request{
			method: http.MethodGet, path: path, query: query, once: true,
			what: "the jobs of run " + strconv.FormatInt(run.ID, 10) + " of " + run.Repository, read: readJobs,
		})
		if err != nil {
			return nil, err
		}
		part := r.value.(*jobsPage) //nolint:errcheck,forcetypeassert // it is what read made
		jobs = slices.Concat(jobs, part.jobs)
		if !part.more {
			break
		}
	}
	return jobs[:min(len(jobs), forge.MaxJobs)], nil
}

// readJobs reads a list of jobs, and leaves out those that have not ended.
func readJobs(r *reply) (value, error) {
	var body struct {
		Jobs *[]wireJob `json:"jobs"`
	}
	if err := json.Unmarshal(r.body, &body); err != nil {
		return nil, err
	}
	if body.Jobs == nil || len(*body.Jobs) > jobsPerPage {
		return nil, errShape
	}
	page := &jobsPage{more: hasNext(r.header)}
	for _, wire := range *body.Jobs {
		if job, err := wire.job(); err == nil {
			page.jobs = append(page.jobs, job)
		}
	}
	return page, nil
}

// runPath returns the path of a run below its repository.
func runPath(id int64) (string, error) {
	if id <= 0 {
		return "", events.Errorf(events.CodeInvalidArgument, "the run's id is %d; it must be greater than 0", id)
	}
	return "/actions/runs/" + strconv.FormatInt(id, 10), nil
}
