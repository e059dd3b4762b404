package fakegithub

import (
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Run is what varies of a workflow run; all else of its JSON is that of the template.
type Run struct {
	ID         int64
	Number     int
	Attempt    int
	WorkflowID int64
	Workflow   string
	Branch     string
	HeadSHA    string
	Event      string
	Status     string
	Conclusion string
	// CreatedAt is when the run was made, StartedAt and UpdatedAt bound its attempt.
	CreatedAt time.Time
	StartedAt time.Time
	UpdatedAt time.Time
	// FromFork makes the head repository another one.
	FromFork bool
}

// AddRun adds the next run, completed with a conclusion just now, on the watched branch. Edit may change it before it is
// seen. It returns the run as it was added.
func (s *Server) AddRun(conclusion string, edit ...func(*Run)) Run {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lastNumber++
	now := s.opts.Now().UTC().Truncate(time.Second)
	run := Run{
		ID: firstRunID + int64(s.lastNumber), Number: s.lastNumber, Attempt: 1,
		WorkflowID: s.opts.WorkflowID, Workflow: s.opts.WorkflowName, Branch: s.opts.Branch,
		HeadSHA: commit(s.opts.Repository, s.lastNumber), Event: "push", Status: "completed", Conclusion: conclusion,
		CreatedAt: now.Add(-2 * time.Minute), StartedAt: now.Add(-2 * time.Minute), UpdatedAt: now,
	}
	for _, change := range edit {
		change(&run)
	}
	s.runs = append(s.runs, run)
	return run
}

// Rerun replaces the latest attempt of a run by the next one, completed just now. It reports whether there is such a run.
func (s *Server) Rerun(id int64, conclusion string) (Run, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.runs, func(r Run) bool { return r.ID == id })
	if i < 0 {
		return Run{}, false
	}
	run := &s.runs[i]
	run.Attempt++
	run.Conclusion = conclusion
	run.UpdatedAt = s.opts.Now().UTC().Truncate(time.Second)
	run.StartedAt = run.UpdatedAt.Add(-time.Minute)
	return *run, true
}

// Runs returns the latest attempt of every run, the oldest first.
func (s *Server) Runs() []Run {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.runs)
}

// firstRunID keeps ids as large as GitHub's.
const firstRunID = 7_410_000_000

// commit makes up a commit's name.
func commit(repository string, number int) string {
	sum := sha1.Sum([]byte(repository + strconv.Itoa(number))) // as git names commits
	return hex.EncodeToString(sum[:])
}

// object returns a run as GitHub writes it.
func (s *Server) object(run Run) map[string]any {
	object := maps.Clone(s.templates[run.Number%len(s.templates)])
	api := fmt.Sprintf("https://api.github.com/repos/%s/actions/runs/%d", s.opts.Repository, run.ID)
	maps.Copy(object, map[string]any{
		"id": run.ID, "run_number": run.Number, "run_attempt": run.Attempt, "name": run.Workflow, "workflow_id": run.WorkflowID,
		"path": ".github/workflows/" + s.opts.Workflow, "head_branch": run.Branch, "head_sha": run.HeadSHA, "event": run.Event,
		"status": run.Status, "conclusion": run.Conclusion,
		"created_at": run.CreatedAt.Format(time.RFC3339), "run_started_at": run.StartedAt.Format(time.RFC3339),
		"updated_at": run.UpdatedAt.Format(time.RFC3339),
		"url":        api, "html_url": fmt.Sprintf("https://github.com/%s/actions/runs/%d", s.opts.Repository, run.ID),
		"repository": s.repository(901, s.opts.Repository), "head_repository": s.repository(901, s.opts.Repository),
	})
	if run.Attempt > 1 {
		object["previous_attempt_url"] = api + "/attempts/" + strconv.Itoa(run.Attempt-1)
	}
	if run.Conclusion == "" {
		object["conclusion"] = nil
	}
	if run.FromFork {
		object["head_repository"] = s.repository(902, "someone/"+s.name())
	}
	return object
}

// repository returns a repository as GitHub writes it inside a run, and with its default branch.
func (s *Server) repository(id int, fullName string) map[string]any {
	owner, name, _ := strings.Cut(fullName, "/")
	return map[string]any{
		"id": id, "name": name, "full_name": fullName, "private": false, "default_branch": s.opts.Branch,
		"owner": map[string]any{"login": owner, "id": 4100, "type": "User"},
		"url":   "https://api.github.com/repos/" + fullName, "html_url": "https://github.com/" + fullName,
	}
}

// name is the repository without its owner.
func (s *Server) name() string {
	_, name, _ := strings.Cut(s.opts.Repository, "/")
	return name
}
