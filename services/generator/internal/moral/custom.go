package moral

import (
	"context"
	"net/http"

	"github.com/neuron7x/mlsdm-integrations/internal/llm/wire"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
)

// custom asks a service of the operator's, by a POST of JSON:
//
//	{"text": "…", "stage": "prompt", "request_id": "…", "caller": "…", "model": "…"}
//
// It answers, with status 200 and content type application/json:
//
//	{"score": 0.8, "categories": ["violence"], "reason": "…"}
//
// The score must be there, a number of 0 to 1; the others may be missing.
type custom struct {
	server *wire.Server
	path   string
	header http.Header
}

type customRequest struct {
	Text      string `json:"text"`
	Stage     string `json:"stage"`
	RequestID string `json:"request_id"`
	Caller    string `json:"caller"`
	Model     string `json:"model"`
}

type customAnswer struct {
	Score      *float64 `json:"score"`
	Categories []string `json:"categories"`
	Reason     string   `json:"reason"`
}

// score implements scorer.
func (c *custom) score(ctx context.Context, key secret.Value, q question) (verdict, error) {
	ask := customRequest{Text: q.text, Stage: q.stage, RequestID: q.RequestID, Caller: q.Caller, Model: q.Model}
	var answer customAnswer
	if err := post(ctx, c.server, wire.Request{Path: c.path, Key: key, Header: c.header}, ask, &answer); err != nil {
		return verdict{}, err
	}
	if !inRange(answer.Score) {
		return verdict{}, c.server.Bad("its score is no number of 0 to 1")
	}
	return verdict{score: *answer.Score, reason: answer.Reason, categories: categories(answer.Categories)}, nil
}
