package fakegitlab

import (
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// Pipeline is what varies of a pipeline.
type Pipeline struct {
	// Project is the path of its project.
	Project string
	ID      int64
	IID     int
	// Name is empty where the configuration gives none.
	Name string
	// Ref is a branch or a tag; of a merge request's pipeline, the branch that it comes from.
	Ref string
	SHA string
	// Source is what started it: push, web, schedule, api, merge_request_event and others.
	Source string
	// Status is GitLab's: success, failed, canceled, skipped, manual, running and others.
	Status string
	// YAMLErrors says what is wrong with the configuration.
	YAMLErrors string
	// MergeRequest is the number of the merge request that it is for; see [Server.AddMergeRequest].
	MergeRequest int64
	// Author is the user who started it, Title the first line of the commit's message.
	Author string
	Title  string
	// CreatedAt is when it was made and StartedAt when it started first; UpdatedAt is when it changed last and FinishedAt when it ended last.
	CreatedAt  time.Time
	StartedAt  time.Time
	UpdatedAt  time.Time
	FinishedAt time.Time
	// Duration is how long its jobs ran.
	Duration time.Duration
}

// AddPipeline adds the next pipeline of the usual project, which got its status just now, on the default branch. Edit may change it before it is
// seen. It returns the pipeline as it was added.
func (s *Server) AddPipeline(status string, edit ...func(*Pipeline)) Pipeline {
	return s.AddPipelineTo(s.opts.Project, status, edit...)
}

// AddPipelineTo is [Server.AddPipeline] for another project, which is added if there is no such.
func (s *Server) AddPipelineTo(path, status string, edit ...func(*Pipeline)) Pipeline {
	s.mu.Lock()
	defer s.mu.Unlock()
	pipeline := s.next(s.project(path))
	pipeline.CreatedAt, pipeline.StartedAt = s.now().Add(-2*time.Minute), s.now().Add(-110*time.Second)
	s.finish(&pipeline, status)
	for _, change := range edit {
		change(&pipeline)
	}
	return s.add(pipeline)
}

// next returns the pipeline after the last one of a project.
func (s *Server) next(p *project) Pipeline {
	iid := len(p.pipelines) + 1
	return Pipeline{
		Project: p.path, ID: firstPipelineID + int64(len(s.pipelines)), IID: iid, Ref: s.opts.Branch, SHA: commit(p.path, iid), Source: "push",
		Author: "someone", Title: "A change",
	}
}

// firstPipelineID keeps ids as large as GitLab's.
const firstPipelineID = 1_890_000_000

// commit makes up a commit's name.
func commit(path string, number int) string {
	sum := sha1.Sum([]byte(path + strconv.Itoa(number))) // as git names commits
	return hex.EncodeToString(sum[:])
}

// add adds a pipeline to the project that it names.
func (s *Server) add(pipeline Pipeline) Pipeline {
	p := s.project(pipeline.Project)
	s.pipelines = append(s.pipelines, &pipeline)
	p.pipelines = append(p.pipelines, &pipeline)
	return pipeline
}

// Finish gives a pipeline a status just now. It reports whether there is such a pipeline.
func (s *Server) Finish(id int64, status string) (Pipeline, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.pipelines, func(p *Pipeline) bool { return p.ID == id })
	if i < 0 {
		return Pipeline{}, false
	}
	s.finish(s.pipelines[i], status)
	return *s.pipelines[i], true
}

// finish does as GitLab: only what has run ends.
func (s *Server) finish(p *Pipeline, status string) {
	p.Status, p.UpdatedAt = status, s.now()
	if status == "success" || status == "failed" || status == "canceled" {
		p.FinishedAt, p.Duration = s.now(), time.Minute
	}
}

// Pipelines returns every pipeline, the oldest first.
func (s *Server) Pipelines() []Pipeline {
	s.mu.Lock()
	defer s.mu.Unlock()
	var pipelines []Pipeline
	for _, p := range s.pipelines {
		pipelines = append(pipelines, *p)
	}
	return pipelines
}

// pipelineObject returns a pipeline as GitLab writes it in a list or, with details, by itself.
func (s *Server) pipelineObject(p *project, pipeline Pipeline, details bool) map[string]any {
	object := map[string]any{
		"id": pipeline.ID, "iid": pipeline.IID, "project_id": p.id, "name": nullable(pipeline.Name), "sha": pipeline.SHA, "ref": pipeline.Ref,
		"status": pipeline.Status, "source": pipeline.Source, "created_at": written(pipeline.CreatedAt), "updated_at": written(pipeline.UpdatedAt),
		"web_url": s.pipelineURL(pipeline),
	}
	if pipeline.MergeRequest > 0 {
		object["ref"] = fmt.Sprintf("refs/merge-requests/%d/head", pipeline.MergeRequest)
	}
	if !details {
		return object
	}
	object["before_sha"], object["tag"], object["coverage"] = "0000000000000000000000000000000000000000", false, nil
	object["yaml_errors"] = nullable(pipeline.YAMLErrors)
	object["user"] = map[string]any{"id": 4100, "username": pipeline.Author, "name": "Someone", "state": "active"}
	object["started_at"], object["finished_at"] = written(pipeline.StartedAt), written(pipeline.FinishedAt)
	object["duration"], object["queued_duration"] = wholeSeconds(pipeline.Duration), wholeSeconds(pipeline.StartedAt.Sub(pipeline.CreatedAt))
	object["detailed_status"] = map[string]any{"icon": "status_" + pipeline.Status, "group": pipeline.Status}
	return object
}

// pipelineURL is the page of a pipeline.
func (s *Server) pipelineURL(pipeline Pipeline) string {
	return s.site() + pipeline.Project + "/-/pipelines/" + strconv.FormatInt(pipeline.ID, 10)
}

// nullable is a text; nil when there is none.
func nullable(text string) any {
	if text == "" {
		return nil
	}
	return text
}

// wholeSeconds is a time in seconds; nil when there is none.
func wholeSeconds(d time.Duration) any {
	if d < time.Second {
		return nil
	}
	return int(d / time.Second)
}

// listPipelines answers with a page of pipelines, the newest first: those that say how a branch is.
func (s *Server) listPipelines(w http.ResponseWriter, r *http.Request, p *project) {
	query := r.URL.Query()
	var found []*Pipeline
	for _, pipeline := range slices.Backward(p.pipelines) {
		ref := pipeline.Ref
		if pipeline.MergeRequest > 0 {
			ref = fmt.Sprintf("refs/merge-requests/%d/head", pipeline.MergeRequest)
		}
		finished := slices.Contains([]string{"success", "failed", "canceled"}, pipeline.Status)
		dangling := slices.Contains([]string{"parent_pipeline", "webide", "security_orchestration_policy"}, pipeline.Source)
		if (query.Get("scope") != "finished" || finished) && (query.Get("ref") == "" || query.Get("ref") == ref) &&
			(query.Get("source") == pipeline.Source || query.Get("source") == "" && !dangling) {
			found = append(found, pipeline)
		}
	}
	from, to := page(w, r, len(found))
	objects := []map[string]any{}
	for _, pipeline := range found[from:to] {
		objects = append(objects, s.pipelineObject(p, *pipeline, false))
	}
	s.answer(w, r, http.StatusOK, objects)
}
