package fakegitlab

import (
	"encoding/json"
	"fmt"
	"net/http"
)

// Webhook returns what GitLab would post about a pipeline, as it is given, with the headers of a delivery: a Pipeline Hook.
func (s *Server) Webhook(pipeline Pipeline, token string) (http.Header, []byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.project(pipeline.Project)
	builds := []map[string]any{}
	for _, job := range s.jobsOf(pipeline) {
		build := map[string]any{
			"id": job.ID, "name": job.Name, "stage": job.Stage, "status": job.Status, "allow_failure": job.AllowFailure, "manual": job.Status == "manual",
			"created_at": posted(pipeline.CreatedAt), "started_at": posted(job.StartedAt), "finished_at": posted(job.FinishedAt), "failure_reason": nil,
		}
		if job.Status == "failed" {
			build["failure_reason"] = job.FailureReason
		}
		builds = append(builds, build)
	}
	body := map[string]any{
		"object_kind": "pipeline",
		"object_attributes": map[string]any{
			"id": pipeline.ID, "iid": pipeline.IID, "name": nullable(pipeline.Name), "ref": pipeline.Ref, "tag": false, "sha": pipeline.SHA,
			"source": pipeline.Source, "status": pipeline.Status, "detailed_status": pipeline.Status, "stages": []string{"build", "test"},
			"created_at": posted(pipeline.CreatedAt), "finished_at": posted(pipeline.FinishedAt), "duration": wholeSeconds(pipeline.Duration),
			"queued_duration": wholeSeconds(pipeline.StartedAt.Sub(pipeline.CreatedAt)), "variables": []any{}, "url": s.pipelineURL(pipeline),
		},
		"merge_request": nil,
		"user":          map[string]any{"id": 4100, "username": pipeline.Author, "name": "Someone"},
		"commit":        map[string]any{"id": pipeline.SHA, "message": pipeline.Title + "\n\nAnd why.\n", "title": pipeline.Title},
		"builds":        builds,
	}
	if mr, ok := s.requestsOf[mergeRequestKey{p.id, pipeline.MergeRequest}]; ok {
		body["merge_request"] = mergeRequestObject(p, mr)
	}
	return s.webhook("Pipeline Hook", token, p, body)
}

// JobWebhook returns what GitLab would post about a job of a pipeline: a Job Hook.
func (s *Server) JobWebhook(pipeline Pipeline, job Job, token string) (http.Header, []byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.project(pipeline.Project)
	return s.webhook("Job Hook", token, p, map[string]any{
		"object_kind": "build", "ref": pipeline.Ref, "tag": false, "sha": pipeline.SHA, "retries_count": 0, "build_id": job.ID, "build_name": job.Name,
		"build_stage": job.Stage, "build_status": job.Status, "build_created_at": written(pipeline.CreatedAt), "build_started_at": written(job.StartedAt),
		"build_finished_at": written(job.FinishedAt), "build_allow_failure": job.AllowFailure, "build_failure_reason": job.FailureReason,
		"pipeline_id": pipeline.ID, "project_id": p.id,
		"commit": map[string]any{"id": pipeline.ID, "name": nullable(pipeline.Name), "sha": pipeline.SHA, "message": pipeline.Title, "status": "running"},
	})
}

// webhook adds what all webhooks have.
func (s *Server) webhook(event, token string, p *project, body map[string]any) (http.Header, []byte, error) {
	body["project"] = map[string]any{
		"id": p.id, "path_with_namespace": p.path, "web_url": s.site() + p.path, "default_branch": s.opts.Branch, "visibility_level": 0,
	}
	text, err := json.Marshal(body)
	if err != nil {
		return nil, nil, fmt.Errorf("webhook %s: %w", event, err)
	}
	s.deliveries++
	return http.Header{
		"Content-Type":          {"application/json"},
		"User-Agent":            {"GitLab/18.5.0"},
		"Idempotency-Key":       {deliveryID(s.deliveries, 0)},
		"X-Gitlab-Webhook-Uuid": {deliveryID(s.deliveries, 1)},
		"X-Gitlab-Event-Uuid":   {deliveryID(0, 2)}, // of the request that set it off, which may set off others
		"X-Gitlab-Instance":     {s.site()},
		"X-Gitlab-Event":        {event},
		"X-Gitlab-Token":        {token},
	}, text, nil
}

// Again returns the headers of a webhook that GitLab sends once more.
func (s *Server) Again(header http.Header) http.Header {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.deliveries++
	header = header.Clone()
	header.Set("X-Gitlab-Webhook-Uuid", deliveryID(s.deliveries, 1))
	return header
}

// deliveryID makes up the id of a delivery, which has the form of a UUID.
func deliveryID(number, kind int) string {
	return fmt.Sprintf("%08x-0000-4000-8000-%012x", kind, number)
}
