package fakegitlab

import (
	"encoding/json"
	"net/http"
	"slices"
	"time"
)

// Order is something that GitLab was told to do.
type Order struct {
	// Kind is "retry" or "create".
	Kind    string
	Project string
	// PipelineID is the pipeline that is retried, or the one that was made.
	PipelineID int64
	// Ref and Variables are those of a pipeline that was made.
	Ref       string
	Variables map[string]string
	// Status is what was answered: 201 says that it was done.
	Status int
	At     time.Time
}

// Orders returns what the server was told to do, whether it did it or not.
func (s *Server) Orders() []Order {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.orders)
}

// retry runs the failed jobs of a pipeline again. It is pending, until [Server.Finish]. When it ended last and started first stays as it was.
func (s *Server) retry(w http.ResponseWriter, r *http.Request, p *project, pipeline *Pipeline) {
	s.orders = append(s.orders, Order{Kind: "retry", Project: p.path, PipelineID: pipeline.ID, Status: http.StatusCreated, At: s.opts.Now()})
	if pipeline.Status == "failed" || pipeline.Status == "canceled" {
		pipeline.Status, pipeline.UpdatedAt = "pending", s.now()
	}
	s.answer(w, r, http.StatusCreated, s.pipelineObject(p, *pipeline, true))
}

// create starts a pipeline. It is pending, until [Server.Finish].
func (s *Server) create(w http.ResponseWriter, r *http.Request, p *project, body []byte) {
	var asked struct {
		Ref       string `json:"ref"`
		Variables []struct {
			Key   string `json:"key"`
			Value string `json:"value"`
		} `json:"variables"`
	}
	order := Order{Kind: "create", Project: p.path, Status: http.StatusBadRequest, At: s.opts.Now()}
	defer func() { s.orders = append(s.orders, order) }()
	if err := json.Unmarshal(body, &asked); err != nil || asked.Ref == "" {
		refuse(w, order.Status, map[string]any{"base": []string{"Reference not found"}})
		return
	}
	order.Ref = asked.Ref
	for _, v := range asked.Variables {
		if order.Variables == nil {
			order.Variables = map[string]string{}
		}
		order.Variables[v.Key] = v.Value
	}
	pipeline := s.next(p)
	pipeline.Source, pipeline.Ref, pipeline.Status = "api", asked.Ref, "pending"
	pipeline.CreatedAt, pipeline.UpdatedAt = s.now(), s.now()
	pipeline = s.add(pipeline)
	order.PipelineID, order.Status = pipeline.ID, http.StatusCreated
	s.answer(w, r, http.StatusCreated, s.pipelineObject(p, pipeline, true))
}
