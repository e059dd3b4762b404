package fakegitlab

import (
	"net/http"
	"strconv"
	"time"
)

// Job is what varies of a job.
type Job struct {
	// ID is made up when it is 0.
	ID    int64
	Name  string
	Stage string
	// Status is GitLab's: success, failed, canceled, skipped, manual, running and others.
	Status string
	// FailureReason is GitLab's: script_failure, job_execution_timeout and others.
	FailureReason string
	// AllowFailure says that the pipeline does not fail when it does.
	AllowFailure bool
	StartedAt    time.Time
	FinishedAt   time.Time
}

// SetJobs says which jobs a pipeline has now, in the place of those that it has anyway: "build" that passes, and "test" that ends as the
// pipeline does. Those of a pipeline whose configuration is wrong are none.
func (s *Server) SetJobs(id int64, jobs ...Job) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.jobs[id] = jobs
}

// Jobs returns the jobs of a pipeline, of each the last.
func (s *Server) Jobs(id int64) []Job {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.pipelines {
		if p.ID == id {
			return s.jobsOf(*p)
		}
	}
	return nil
}

// jobsOf returns the jobs of a pipeline, whole.
func (s *Server) jobsOf(p Pipeline) []Job {
	jobs, ok := s.jobs[p.ID]
	switch {
	case !ok && p.YAMLErrors != "":
		return nil
	case !ok:
		jobs = []Job{{Name: "build", Stage: "build", Status: "success"}, {Name: "test", Stage: "test", Status: p.Status}}
	}
	whole := make([]Job, len(jobs))
	for i, job := range jobs {
		if job.ID == 0 {
			job.ID = p.ID*1000 + int64(i)
		}
		if job.StartedAt.IsZero() {
			job.StartedAt, job.FinishedAt = p.StartedAt, p.FinishedAt
		}
		if job.Status == "failed" && job.FailureReason == "" {
			job.FailureReason = "script_failure"
		}
		whole[i] = job
	}
	return whole
}

// listJobs answers with a page of the jobs of a pipeline.
func (s *Server) listJobs(w http.ResponseWriter, r *http.Request, p *project, pipeline *Pipeline) {
	jobs := s.jobsOf(*pipeline)
	from, to := page(w, r, len(jobs))
	objects := []map[string]any{}
	for _, job := range jobs[from:to] {
		object := map[string]any{
			"id": job.ID, "name": job.Name, "stage": job.Stage, "status": job.Status, "allow_failure": job.AllowFailure, "ref": pipeline.Ref,
			"created_at": written(pipeline.CreatedAt), "started_at": written(job.StartedAt), "finished_at": written(job.FinishedAt),
			"web_url":  s.jobURL(p, job),
			"pipeline": map[string]any{"id": pipeline.ID, "project_id": p.id, "sha": pipeline.SHA, "status": pipeline.Status},
		}
		if job.FailureReason != "" {
			object["failure_reason"] = job.FailureReason
		}
		objects = append(objects, object)
	}
	s.answer(w, r, http.StatusOK, objects)
}

// jobURL is the page of a job.
func (s *Server) jobURL(p *project, job Job) string {
	return s.site() + p.path + "/-/jobs/" + strconv.FormatInt(job.ID, 10)
}
