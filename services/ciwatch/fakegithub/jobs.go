package fakegithub

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// attempt is one of a run.
type attempt struct {
	runID  int64
	number int
}

// Job is what varies of a job.
type Job struct {
	ID int64
	// Attempt is the attempt that it ran in; 0 is the one that it is listed in.
	Attempt     int
	Name        string
	Conclusion  string
	Steps       []Step
	StartedAt   time.Time
	CompletedAt time.Time
}

// Step is a step of a job.
type Step struct {
	Name       string
	Conclusion string
}

// SetJobs says which jobs an attempt of a run has, in the place of those that it has anyway: "build" that passes, and "test" that
// ends as the run does. Those of a run that did not start are none.
func (s *Server) SetJobs(runID int64, number int, jobs ...Job) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.jobs[attempt{runID, number}] = jobs
	if run := s.find(runID); run != nil {
		s.repository(run.Repository).changed()
	}
}

// Jobs returns the jobs of the latest attempt of a run.
func (s *Server) Jobs(runID int64) []Job {
	s.mu.Lock()
	defer s.mu.Unlock()
	run := s.find(runID)
	if run == nil {
		return nil
	}
	return s.jobsOf(run, run.Attempt)
}

// jobsOf returns the jobs of an attempt.
func (s *Server) jobsOf(run *Run, number int) []Job {
	jobs, ok := s.jobs[attempt{run.ID, number}]
	if ok || run.Conclusion == "startup_failure" {
		return jobs
	}
	conclusion := run.Conclusion
	if number != run.Attempt {
		conclusion = "failure" // otherwise there would be no later one
	}
	end := run.UpdatedAt
	id := func(attempt, index int) int64 { return run.ID*1000 + int64(attempt*10+index) }
	step := Step{Name: "Run tests", Conclusion: conclusion}
	whole := min(s.whole[run.ID], number) // a job that passed does not run again
	return []Job{
		{
			ID: id(whole, 1), Attempt: whole, Name: "build", Conclusion: "success", StartedAt: run.StartedAt, CompletedAt: end,
			Steps: []Step{{"Set up job", "success"}, {"Build", "success"}},
		},
		{
			ID: id(number, 2), Attempt: number, Name: "test", Conclusion: conclusion, StartedAt: run.StartedAt, CompletedAt: end,
			Steps: []Step{{"Set up job", "success"}, step, {"Upload report", "skipped"}},
		},
	}
}

// listJobs answers with a page of the jobs of an attempt.
func (s *Server) listJobs(w http.ResponseWriter, r *http.Request, repository *repository, run *Run, number int) {
	if number < 1 || number > run.Attempt {
		refuse(w, http.StatusNotFound, "Not Found")
		return
	}
	jobs := s.jobsOf(run, number)
	from, to := page(w, r, len(jobs))
	objects := []map[string]any{}
	for i, job := range jobs[from:to] {
		objects = append(objects, jobObject(*run, job, number, from+i))
	}
	s.answer(w, r, repository, map[string]any{"total_count": len(jobs), "jobs": objects})
}

// jobObject returns a job as GitHub writes it.
func jobObject(run Run, job Job, number, index int) map[string]any {
	if job.ID == 0 {
		job.ID = run.ID*1000 + int64(number*100+index+1)
	}
	if job.Attempt == 0 {
		job.Attempt = number
	}
	if job.StartedAt.IsZero() {
		job.StartedAt, job.CompletedAt = run.StartedAt, run.UpdatedAt
	}
	steps := []map[string]any{}
	for i, step := range job.Steps {
		steps = append(steps, map[string]any{"name": step.Name, "status": completed, "conclusion": step.Conclusion, "number": i + 1})
	}
	object := map[string]any{
		"id": job.ID, "run_id": run.ID, "run_attempt": job.Attempt, "name": job.Name, "workflow_name": run.Workflow,
		"head_branch": run.Branch, "head_sha": run.HeadSHA, "status": completed, "conclusion": job.Conclusion,
		"created_at": job.StartedAt.Format(time.RFC3339), "started_at": job.StartedAt.Format(time.RFC3339),
		"completed_at": job.CompletedAt.Format(time.RFC3339), "steps": steps, "labels": []string{"ubuntu-latest"},
		"html_url": strings.Join([]string{"https://github.com", run.Repository, "actions/runs", strconv.FormatInt(run.ID, 10), "job", strconv.FormatInt(job.ID, 10)}, "/"),
	}
	if job.Conclusion == "" {
		object["status"], object["conclusion"], object["completed_at"] = "in_progress", nil, nil
	}
	return object
}
