package fakegithub

import (
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Run is what varies of a workflow run; all else of its JSON is that of the template.
type Run struct {
	// Repository is "owner/name".
	Repository string
	ID         int64
	Number     int
	Attempt    int
	WorkflowID int64
	Workflow   string
	// File is the name of the workflow's file.
	File       string
	Branch     string
	HeadSHA    string
	Event      string
	Status     string
	Conclusion string
	// Author is the login of who started it, Title the first line of the commit's message; empty is as in the template.
	Author string
	Title  string
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
	return s.AddRunTo(s.opts.Repository, conclusion, edit...)
}

// AddRunTo is [Server.AddRun] for another repository, which is added if there is no such.
func (s *Server) AddRunTo(name, conclusion string, edit ...func(*Run)) Run {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	run := s.next(s.repository(name))
	run.Status, run.Conclusion = completed, conclusion
	run.CreatedAt, run.StartedAt, run.UpdatedAt = now.Add(-2*time.Minute), now.Add(-2*time.Minute), now
	for _, change := range edit {
		change(&run)
	}
	return s.add(run)
}

// completed is the status of a run that has ended.
const completed = "completed"

// now is the time as GitHub writes it.
func (s *Server) now() time.Time { return s.opts.Now().UTC().Truncate(time.Second) }

// next returns the run after the last one of a repository.
func (s *Server) next(repository *repository) Run {
	number := len(repository.runs) + 1
	if count := len(repository.runs); count > 0 {
		number = max(number, repository.runs[count-1].Number+1)
	}
	return Run{
		Repository: repository.name, ID: firstRunID + int64(len(s.runs)) + 1, Number: number, Attempt: 1,
		WorkflowID: s.opts.WorkflowID, Workflow: s.opts.WorkflowName, File: s.opts.Workflow, Branch: s.opts.Branch,
		HeadSHA: commit(repository.name, number), Event: "push",
	}
}

// add adds a run to the repository that it names.
func (s *Server) add(run Run) Run {
	repository := s.repository(run.Repository)
	s.runs = append(s.runs, &run)
	repository.runs = append(repository.runs, &run)
	s.whole[run.ID] = run.Attempt
	repository.changed()
	return run
}

// Rerun replaces the latest attempt of a run by the next one, completed just now. It reports whether there is such a run.
func (s *Server) Rerun(id int64, conclusion string) (Run, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	run := s.find(id)
	if run == nil {
		return Run{}, false
	}
	run.Attempt++
	s.whole[id] = run.Attempt
	run.StartedAt = s.now().Add(-time.Minute)
	s.finish(run, conclusion)
	return *run, true
}

// Finish completes the latest attempt of a run just now. It reports whether there is such a run.
func (s *Server) Finish(id int64, conclusion string) (Run, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	run := s.find(id)
	if run == nil {
		return Run{}, false
	}
	s.finish(run, conclusion)
	return *run, true
}

func (s *Server) finish(run *Run, conclusion string) {
	run.Status, run.Conclusion, run.UpdatedAt = completed, conclusion, s.now()
	s.repository(run.Repository).changed()
}

// find returns the run of an id, or nil.
func (s *Server) find(id int64) *Run {
	if i := slices.IndexFunc(s.runs, func(r *Run) bool { return r.ID == id }); i >= 0 {
		return s.runs[i]
	}
	return nil
}

// run returns the run of an id, as a path has it, or nil.
func (r *repository) run(id string) *Run {
	for _, run := range r.runs {
		if strconv.FormatInt(run.ID, 10) == id {
			return run
		}
	}
	return nil
}

// Runs returns the latest attempt of every run, the oldest first.
func (s *Server) Runs() []Run {
	s.mu.Lock()
	defer s.mu.Unlock()
	var runs []Run
	for _, run := range s.runs {
		runs = append(runs, *run)
	}
	return runs
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
	repository := s.repository(run.Repository)
	api := fmt.Sprintf("https://api.github.com/repos/%s/actions/runs/%d", run.Repository, run.ID)
	maps.Copy(object, map[string]any{
		"id": run.ID, "run_number": run.Number, "run_attempt": run.Attempt, "name": run.Workflow, "workflow_id": run.WorkflowID,
		"path": ".github/workflows/" + run.File, "head_branch": run.Branch, "head_sha": run.HeadSHA, "event": run.Event,
		"status": run.Status, "conclusion": run.Conclusion,
		"created_at": run.CreatedAt.Format(time.RFC3339), "run_started_at": run.StartedAt.Format(time.RFC3339),
		"updated_at": run.UpdatedAt.Format(time.RFC3339),
		"url":        api, "html_url": fmt.Sprintf("https://github.com/%s/actions/runs/%d", run.Repository, run.ID),
		"repository":      s.repositoryObject(repository.id, repository.name),
		"head_repository": s.repositoryObject(repository.id, repository.name),
	})
	if run.Attempt > 1 {
		object["previous_attempt_url"] = api + "/attempts/" + strconv.Itoa(run.Attempt-1)
	}
	if run.Conclusion == "" {
		object["conclusion"] = nil
	}
	if run.Author != "" {
		object["actor"] = map[string]any{"login": run.Author, "id": 4101, "type": "User"}
		object["triggering_actor"] = object["actor"]
	}
	if run.Title != "" {
		object["display_title"] = run.Title
		object["head_commit"] = map[string]any{"id": run.HeadSHA, "message": run.Title, "timestamp": run.CreatedAt.Format(time.RFC3339)}
	}
	if run.FromFork {
		_, name, _ := strings.Cut(run.Repository, "/")
		object["head_repository"] = s.repositoryObject(repository.id+1, "someone/"+name)
	}
	return object
}

// listRuns answers with a page of runs, the newest first.
func (s *Server) listRuns(w http.ResponseWriter, r *http.Request, repository *repository, workflow string) {
	query := r.URL.Query()
	after, _ := time.Parse(time.RFC3339, strings.TrimPrefix(query.Get("created"), ">=")) // without it, all are after
	a, err := s.made(r, repository, func() (any, int) {
		var found []*Run
		for _, run := range slices.Backward(repository.runs) {
			if matches(workflow, run.File, strconv.FormatInt(run.WorkflowID, 10)) && matches(query.Get("branch"), run.Branch) &&
				matches(query.Get("status"), run.Status, run.Conclusion) && matches(query.Get("event"), run.Event) &&
				!run.CreatedAt.Before(after) {
				found = append(found, run)
			}
		}
		objects := []map[string]any{}
		from, to := page(w, r, len(found))
		for _, run := range found[from:to] {
			objects = append(objects, s.object(*run))
		}
		return map[string]any{"total_count": len(found), "workflow_runs": objects}, len(found)
	})
	if err == nil {
		page(w, r, a.total)
	}
	s.write(w, r, a, err)
}

// isWorkflow reports whether a repository has a workflow of that file's name or id.
func (s *Server) isWorkflow(repository *repository, workflow string) bool {
	return matches(workflow, s.opts.Workflow, strconv.FormatInt(s.opts.WorkflowID, 10)) ||
		slices.ContainsFunc(repository.runs, func(run *Run) bool {
			return matches(workflow, run.File, strconv.FormatInt(run.WorkflowID, 10))
		})
}
