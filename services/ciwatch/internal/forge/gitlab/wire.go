package gitlab

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge/rest"
)

// Why an entry is no usable one.
var (
	errIDs     = errors.New("it has no id, or an impossible one")
	errUnclear = errors.New("it has no branch, or did not end at any time")
)

// unnamed is the workflow of a pipeline that has no name.
const unnamed = "pipeline"

// mergeRequestRefs begins the ref of a pipeline that is for a merge request: refs/merge-requests/IID/head, merge or train.
const mergeRequestRefs = "refs/merge-requests/"

// wirePipeline is what is read of a pipeline, as answers and webhooks have it.
type wirePipeline struct {
	ID             int64             `json:"id"`
	IID            int               `json:"iid"`
	ProjectID      int64             `json:"project_id"`
	Name           string            `json:"name"`
	Ref            string            `json:"ref"`
	SHA            string            `json:"sha"`
	Source         string            `json:"source"`
	Status         string            `json:"status"`
	YAMLErrors     string            `json:"yaml_errors"`
	User           *wireUser         `json:"user"`
	WebURL         string            `json:"web_url"`
	CreatedAt      moment            `json:"created_at"`
	UpdatedAt      moment            `json:"updated_at"`
	FinishedAt     moment            `json:"finished_at"`
	Duration       float64           `json:"duration"`
	QueuedDuration float64           `json:"queued_duration"`
	MergeRequest   *wireMergeRequest `json:"-"`
}

type wireUser struct {
	Username string `json:"username"`
}

// wireMergeRequest is what is read of a merge request.
type wireMergeRequest struct {
	IID             int64  `json:"iid"`
	SourceBranch    string `json:"source_branch"`
	SourceProjectID int64  `json:"source_project_id"`
	TargetProjectID int64  `json:"target_project_id"`
}

func (*wireMergeRequest) size() int { return 256 }

// wireJob is what is read of a job.
type wireJob struct {
	ID            int64  `json:"id"`
	Name          string `json:"name"`
	Stage         string `json:"stage"`
	Status        string `json:"status"`
	FailureReason string `json:"failure_reason"`
	AllowFailure  bool   `json:"allow_failure"`
	WebURL        string `json:"web_url"`
	StartedAt     moment `json:"started_at"`
	FinishedAt    moment `json:"finished_at"`
}

// moment is a time to the second, which is as exact as webhooks are.
type moment struct{ time.Time }

// UnmarshalJSON reads a time as answers and webhooks have it: "2026-05-04T10:00:00.123Z" or "2026-05-04 10:00:00 UTC". What is none is not known.
func (m *moment) UnmarshalJSON(data []byte) error {
	if bytes.Equal(data, []byte("null")) {
		return nil
	}
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return err
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02 15:04:05 UTC", "2006-01-02 15:04:05 -0700"} {
		if t, err := time.Parse(layout, text); err == nil {
			m.Time = rest.Sane(t.Truncate(time.Second))
			break
		}
	}
	return nil
}

// conclusion says how a pipeline or a job with a status has ended; false that it has not. One that waits for somebody to start a job
// of it goes no further by itself.
func conclusion(status string) (forge.Conclusion, bool) {
	switch status {
	case "success":
		return forge.Success, true
	case "failed":
		return forge.Failure, true
	case "canceled":
		return forge.Cancelled, true
	case "skipped":
		return forge.Skipped, true
	case "manual":
		return forge.ActionRequired, true
	default:
		return "", false
	}
}

// isDangling reports whether pipelines of a source are part of another one, or are for something else than the state of a branch. GitLab
// does not list them.
func isDangling(source string) bool {
	return slices.Contains([]string{
		"parent_pipeline", "webide", "ondemand_dast_scan", "ondemand_dast_validation", "security_orchestration_policy",
		"container_registry_push", "duo_workflow", "pipeline_execution_policy_schedule",
	}, source)
}

// isPullRequest reports whether the pipeline is for a merge request.
func (w *wirePipeline) isPullRequest() bool {
	return w.Source == "merge_request_event" || w.Source == "external_pull_request_event"
}

// mergeRequestOf returns the number of the merge request that the pipeline is for, as far as its ref says so.
func (w *wirePipeline) mergeRequestOf() (iid int64, ok bool) {
	below, ok := strings.CutPrefix(w.Ref, mergeRequestRefs)
	if !ok {
		return 0, false
	}
	number, _, _ := strings.Cut(below, "/")
	iid, err := strconv.ParseInt(number, 10, 64)
	return iid, err == nil && iid > 0
}

// run checks and bounds a pipeline of a repository. One that has no branch, or ended at no time, is errUnclear.
func (w *wirePipeline) run(repository string) (forge.Run, error) {
	if w.ID <= 0 || w.ProjectID <= 0 || w.IID < 0 {
		return forge.Run{}, errIDs
	}
	r := forge.Run{
		Repository: repository, ID: w.ID, Attempt: 1, Number: w.IID, WorkflowID: w.ProjectID, Workflow: rest.First(w.Name, unnamed), Branch: w.Ref,
		Event: rest.Text(w.Source), PullRequest: w.isPullRequest(), HeadSHA: rest.Text(w.SHA), URL: rest.WebURL(w.WebURL), CreatedAt: w.CreatedAt.Time,
	}
	if w.User != nil {
		r.Author = rest.Text(w.User.Username)
	}
	if mr := w.MergeRequest; mr != nil {
		r.Branch, r.PullRequest = mr.SourceBranch, true
		r.FromFork = mr.SourceProjectID != mr.TargetProjectID // that of a fork which was deleted is not told
	}
	r.StartedAt = w.startedAt()
	r.Conclusion, r.Done = conclusion(w.Status)
	if r.Done {
		r.CompletedAt = w.endedAt(r.Conclusion)
		r.Attempt = int(max(r.CompletedAt.Unix(), 1))
		if r.Conclusion == forge.Failure && w.YAMLErrors != "" {
			r.Conclusion = forge.StartupFailure
		}
	}
	if r.Branch == "" || strings.HasPrefix(r.Branch, mergeRequestRefs) || rest.CheckBranch(r.Branch) != nil || r.Done && r.CompletedAt.IsZero() {
		return r, errUnclear
	}
	if r.Done {
		rest.Ascending(&r.CreatedAt, &r.StartedAt, &r.CompletedAt)
	} else {
		rest.Ascending(&r.CreatedAt, &r.StartedAt)
	}
	return r, nil
}

// endedAt is when the pipeline ended. One that was skipped or waits for somebody did not, strictly; it changed last then.
func (w *wirePipeline) endedAt(c forge.Conclusion) time.Time {
	if c == forge.Skipped || c == forge.ActionRequired {
		return w.UpdatedAt.Time
	}
	return w.FinishedAt.Time
}

// startedAt is when the attempt started. GitLab tells when the pipeline did first and, of the last attempt, how long it took.
func (w *wirePipeline) startedAt() time.Time {
	if w.CreatedAt.IsZero() {
		return time.Time{}
	}
	started := w.CreatedAt.Add(seconds(w.QueuedDuration))
	if w.Duration <= 0 || w.FinishedAt.IsZero() {
		return started
	}
	if working := w.FinishedAt.Add(-seconds(w.Duration)); working.After(started) {
		return working
	}
	return started
}

// seconds is a number of whole seconds, as far as it is believed.
func seconds(n float64) time.Duration {
	const most = 366 * 24 * 60 * 60
	return time.Duration(min(max(n, 0), most)) * time.Second
}

// job checks and bounds a job of a run. One that has not ended, or is there to be started by hand, is errUnclear. GitLab has no steps: the
// stage is told as the one.
func (w wireJob) job(run forge.Run) (forge.Job, error) {
	if w.ID <= 0 {
		return forge.Job{}, errIDs
	}
	ended, ok := conclusion(w.Status)
	j := forge.Job{
		ID: w.ID, RunID: run.ID, Attempt: run.Attempt, Name: rest.First(w.Name, "job "+strconv.FormatInt(w.ID, 10)), Conclusion: ended,
		URL: rest.WebURL(w.WebURL), HeadSHA: run.HeadSHA, Branch: run.Branch, Workflow: run.Workflow,
		StartedAt: w.StartedAt.Time, CompletedAt: w.FinishedAt.Time,
	}
	rest.Ascending(&j.StartedAt, &j.CompletedAt)
	switch {
	case !ok, ended == forge.ActionRequired:
		return j, errUnclear
	case ended != forge.Failure:
		return j, nil
	case w.AllowFailure: // the pipeline did not fail because of it
		j.Conclusion = forge.Neutral
		return j, nil
	case w.FailureReason == "job_execution_timeout", w.FailureReason == "stuck_or_timeout_failure":
		j.Conclusion = forge.TimedOut
	}
	if stage := rest.Text(w.Stage); stage != "" {
		j.FailedSteps = []string{stage}
	}
	return j, nil
}

// failedJobs returns the jobs that failed, as many as are told of a run.
func failedJobs(run forge.Run, jobs []wireJob) []forge.Job {
	var failed []forge.Job
	for _, wire := range jobs {
		if job, err := wire.job(run); err == nil && job.Conclusion.Failed() && len(failed) < events.MaxCIJobs {
			failed = append(failed, job)
		}
	}
	return failed
}
