package gitlab

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge"
)

// jobsPerPage is as many as GitLab gives at once.
const jobsPerPage = 100

// jobsPage is a part of the list of jobs.
type jobsPage struct {
	jobs []forge.Job
	more bool
}

func (p *jobsPage) size() int { return len(p.jobs) * runSize }

// Jobs implements [forge.Forge]: GET /projects/:id/pipelines/:pipeline_id/jobs. These are the jobs of the last attempt; GitLab does not say of
// which attempt a job is. Jobs that may fail are neutral when they did. Those that start other pipelines are not among them.
func (f *Forge) Jobs(ctx context.Context, run forge.Run) ([]forge.Job, error) {
	path, err := pipelinePath(run.ID)
	if err != nil {
		return nil, err
	}
	var jobs []forge.Job
	for page := 1; page <= forge.MaxJobs/jobsPerPage; page++ {
		query := url.Values{"include_retried": {"false"}, "per_page": {strconv.Itoa(jobsPerPage)}, "page": {strconv.Itoa(page)}}
		r, err := f.askAbout(ctx, run.Repository, request{
			method: http.MethodGet, path: path + "/jobs", query: query,
			what: "the jobs of pipeline " + strconv.FormatInt(run.ID, 10) + " of " + run.Repository,
			read: func(r *reply) (value, error) { return readJobs(r, run) },
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
func readJobs(r *reply, run forge.Run) (value, error) {
	var body []wireJob
	if err := json.Unmarshal(r.body, &body); err != nil {
		return nil, err
	}
	if body == nil || len(body) > jobsPerPage {
		return nil, errShape
	}
	page := &jobsPage{more: hasNext(r.header)}
	for _, wire := range body {
		if job, err := wire.job(run); err == nil {
			page.jobs = append(page.jobs, job)
		}
	}
	return page, nil
}
