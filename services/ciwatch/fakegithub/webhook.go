package fakegithub

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
)

// Webhook returns what GitHub would post about a run: workflow_run, completed if it is, with the headers that sign it.
func (s *Server) Webhook(run Run, key string) (http.Header, []byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	action := completed
	if run.Status != completed {
		action = "requested"
	}
	return s.webhook("workflow_run", key, run, map[string]any{
		"action": action, "workflow_run": s.object(run),
		"workflow": map[string]any{"id": run.WorkflowID, "name": run.Workflow, "path": ".github/workflows/" + run.File, "state": "active"},
	})
}

// JobWebhook returns what GitHub would post about a job of a run's attempt: workflow_job.
func (s *Server) JobWebhook(run Run, job Job, key string) (http.Header, []byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	action := completed
	if job.Conclusion == "" {
		action = "in_progress"
	}
	return s.webhook("workflow_job", key, run, map[string]any{"action": action, "workflow_job": jobObject(run, job, run.Attempt, 0)})
}

// CheckSuiteWebhook returns what GitHub would post about the check suite of a run: check_suite.
func (s *Server) CheckSuiteWebhook(run Run, key string) (http.Header, []byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.webhook("check_suite", key, run, map[string]any{
		"action": completed, "check_suite": map[string]any{
			"id": run.ID * 10, "status": completed, "conclusion": run.Conclusion, "head_sha": run.HeadSHA, "head_branch": run.Branch,
			"app": map[string]any{"id": 15368, "slug": "github-actions", "name": "GitHub Actions"},
		},
	})
}

// webhook adds what all webhooks have, and signs.
func (s *Server) webhook(event, key string, run Run, body map[string]any) (http.Header, []byte, error) {
	repository := s.repository(run.Repository)
	body["repository"] = s.repositoryObject(repository.id, repository.name)
	body["sender"] = map[string]any{"login": "neuron7x", "id": 4100, "type": "User"}
	text, err := json.Marshal(body)
	if err != nil {
		return nil, nil, fmt.Errorf("webhook %s: %w", event, err)
	}
	s.deliveries++
	return Sign(event, deliveryID(s.opts.Repository, s.deliveries), key, text), text, nil
}

// Sign returns the headers of a webhook's delivery.
func Sign(event, delivery, key string, body []byte) http.Header {
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write(body)
	return http.Header{
		"Content-Type":        {"application/json"},
		"User-Agent":          {"GitHub-Hookshot/044aadd"},
		"X-Github-Event":      {event},
		"X-Github-Delivery":   {delivery},
		"X-Hub-Signature-256": {"sha256=" + hex.EncodeToString(mac.Sum(nil))},
	}
}

// deliveryID makes up the id of a delivery, which has the form of a UUID.
func deliveryID(repository string, number int) string {
	sum := sha256.Sum256([]byte(repository + " " + strconv.Itoa(number)))
	id := hex.EncodeToString(sum[:16])
	return id[:8] + "-" + id[8:12] + "-" + id[12:16] + "-" + id[16:20] + "-" + id[20:]
}
