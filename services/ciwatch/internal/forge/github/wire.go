package github

import (
	"errors"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge/rest"
)

// completed is the status of what has ended.
const completed = "completed"

// Why an entry is no usable one.
var (
	errIDs     = errors.New("it has no id, or an impossible one")
	errUnclear = errors.New("it has no branch or no conclusion")
)

// wireRun is what is read of a workflow run, as answers and webhooks have it.
type wireRun struct {
	ID              int64           `json:"id"`
	Name            string          `json:"name"`
	WorkflowID      int64           `json:"workflow_id"`
	Path            string          `json:"path"`
	RunNumber       int             `json:"run_number"`
	RunAttempt      int             `json:"run_attempt"`
	HeadBranch      string          `json:"head_branch"`
	HeadSHA         string          `json:"head_sha"`
	Event           string          `json:"event"`
	Status          string          `json:"status"`
	Conclusion      string          `json:"conclusion"`
	DisplayTitle    string          `json:"display_title"`
	HTMLURL         string          `json:"html_url"`
	CreatedAt       time.Time       `json:"created_at"`
	RunStartedAt    time.Time       `json:"run_started_at"`
	UpdatedAt       time.Time       `json:"updated_at"`
	HeadCommit      wireCommit      `json:"head_commit"`
	Actor           wireUser        `json:"actor"`
	TriggeringActor wireUser        `json:"triggering_actor"`
	Repository      wireRepository  `json:"repository"`
	HeadRepository  *wireRepository `json:"head_repository"`
}

type wireCommit struct {
	Message string `json:"message"`
}

type wireUser struct {
	Login string `json:"login"`
}

type wireRepository struct {
	ID       int64  `json:"id"`
	FullName string `json:"full_name"`
	Archived bool   `json:"archived"`
	Disabled bool   `json:"disabled"`
	// DefaultBranch is in webhooks.
	DefaultBranch string `json:"default_branch"`
}

// wireJob is what is read of a job.
type wireJob struct {
	ID           int64      `json:"id"`
	RunID        int64      `json:"run_id"`
	RunAttempt   int        `json:"run_attempt"`
	Name         string     `json:"name"`
	WorkflowName string     `json:"workflow_name"`
	HeadBranch   string     `json:"head_branch"`
	HeadSHA      string     `json:"head_sha"`
	Status       string     `json:"status"`
	Conclusion   string     `json:"conclusion"`
	HTMLURL      string     `json:"html_url"`
	StartedAt    time.Time  `json:"started_at"`
	CompletedAt  time.Time  `json:"completed_at"`
	Steps        []wireStep `json:"steps"`
}

type wireStep struct {
	Name       string `json:"name"`
	Conclusion string `json:"conclusion"`
}

// run checks and bounds a run. Repository is what was asked for, and is used where the run does not name its own. A run that
// has no branch, or is completed and has no conclusion, is errUnclear.
func (w wireRun) run(repository string) (forge.Run, error) {
	if w.ID <= 0 || w.WorkflowID <= 0 || w.RunNumber < 0 || w.RunAttempt < 0 {
		return forge.Run{}, errIDs
	}
	if isRepository(w.Repository.FullName) {
		repository = w.Repository.FullName
	}
	r := forge.Run{
		Repository: repository, ID: w.ID, Attempt: max(w.RunAttempt, 1), Counted: true, Number: w.RunNumber,
		WorkflowID: w.WorkflowID, File: workflowFile(w.Path), Branch: w.HeadBranch,
		Event: rest.Text(w.Event), PullRequest: strings.HasPrefix(w.Event, "pull_request"),
		HeadSHA: rest.Text(w.HeadSHA), Title: rest.First(rest.FirstLine(w.HeadCommit.Message), w.DisplayTitle),
		Author: rest.First(w.TriggeringActor.Login, w.Actor.Login),
		Done:   w.Status == completed, URL: rest.WebURL(w.HTMLURL),
		CreatedAt: rest.Sane(w.CreatedAt), StartedAt: rest.Sane(w.RunStartedAt),
	}
	r.Workflow = rest.First(w.Name, r.File, "workflow "+strconv.FormatInt(w.WorkflowID, 10))
	r.FromFork = w.fromFork(r.PullRequest)
	if r.Done {
		r.Conclusion = forge.Conclusion(rest.Text(w.Conclusion))
		r.CompletedAt = rest.Sane(w.UpdatedAt) // a run has no completed_at; this is what changed last
		rest.Ascending(&r.CreatedAt, &r.StartedAt, &r.CompletedAt)
	} else {
		rest.Ascending(&r.CreatedAt, &r.StartedAt)
	}
	if r.Branch == "" || rest.CheckBranch(r.Branch) != nil || r.Done && r.Conclusion == "" {
		return r, errUnclear
	}
	return r, nil
}

// fromFork reports whether the run's code is another repository's. That of a pull request whose repository is not told was
// deleted with it.
func (w wireRun) fromFork(pullRequest bool) bool {
	if w.HeadRepository == nil || w.HeadRepository.ID == 0 {
		return pullRequest
	}
	return w.Repository.ID != 0 && w.HeadRepository.ID != w.Repository.ID
}

// workflowFile returns the name of a workflow's file, of its path ".github/workflows/ci.yml@main". Workflows that GitHub makes
// itself have none.
func workflowFile(file string) string {
	file, _, _ = strings.Cut(file, "@")
	if !strings.HasPrefix(file, ".github/workflows/") {
		return ""
	}
	return rest.Text(path.Base(file))
}

// job checks and bounds a job, completed or not.
func (w wireJob) job() (forge.Job, error) {
	if w.ID <= 0 || w.RunID <= 0 || w.RunAttempt < 0 {
		return forge.Job{}, errIDs
	}
	j := forge.Job{
		ID: w.ID, RunID: w.RunID, Attempt: max(w.RunAttempt, 1), Name: rest.First(w.Name, "job "+strconv.FormatInt(w.ID, 10)),
		Conclusion: forge.Conclusion(rest.Text(w.Conclusion)), URL: rest.WebURL(w.HTMLURL), HeadSHA: rest.Text(w.HeadSHA),
		Workflow: rest.Text(w.WorkflowName), StartedAt: rest.Sane(w.StartedAt), CompletedAt: rest.Sane(w.CompletedAt),
	}
	if rest.CheckBranch(w.HeadBranch) == nil {
		j.Branch = w.HeadBranch
	}
	rest.Ascending(&j.StartedAt, &j.CompletedAt)
	if w.Status != completed || j.Conclusion == "" {
		return j, errUnclear
	}
	if !j.Conclusion.Failed() {
		return j, nil
	}
	for _, step := range w.Steps {
		if name := rest.Text(step.Name); forge.Conclusion(step.Conclusion).Failed() && name != "" && len(j.FailedSteps) < events.MaxCISteps {
			j.FailedSteps = append(j.FailedSteps, name)
		}
	}
	return j, nil
}
