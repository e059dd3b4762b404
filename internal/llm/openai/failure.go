package openai

import (
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"strconv"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// maxText bounds a server's own words before the shared code bounds them further, in bytes.
const maxText = 2048

// failure reads an answer whose status is not 200.
func (c *Client) failure(res *http.Response) error {
	if res.StatusCode >= 300 && res.StatusCode < 400 {
		return llm.Failure{
			Provider: c.cfg.Provider, Status: res.StatusCode, Message: "a redirect, which is not followed; check the base URL",
		}.Error()
	}
	// What cannot be read is left out: the status alone decides the code.
	body, _ := io.ReadAll(io.LimitReader(res.Body, maxErrorBody))
	kind, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type"))
	f := c.parseFailure(body)
	if f.Message == "" && kind == "text/plain" && len(body) < maxErrorBody { // a cut could go through the API key
		f.Message = c.clean(string(body), maxText)
	}
	f.Status, f.Header = res.StatusCode, res.Header
	return f.Error()
}

// parseFailure reads the error bodies that are about: OpenAI's {"error": {…}}, {"error": "…"} of Hugging Face and
// Ollama, {"message": "…"} of Cohere, {"detail": "…"} of Python servers. What is none of them has no message.
func (c *Client) parseFailure(body []byte) llm.Failure {
	var outer struct {
		Error   json.RawMessage `json:"error"`
		Message json.RawMessage `json:"message"`
		Detail  json.RawMessage `json:"detail"`
	}
	f := llm.Failure{Provider: c.cfg.Provider}
	if json.Unmarshal(body, &outer) != nil {
		return f
	}
	var inner struct {
		Message string          `json:"message"`
		Type    string          `json:"type"`
		Code    json.RawMessage `json:"code"` // a string, a number or null
	}
	if json.Unmarshal(outer.Error, &inner) == nil && (inner.Message != "" || inner.Type != "" || inner.Code != nil) {
		f.Message = c.clean(inner.Message, maxText)
		f.Reasons = []string{inner.Type, text(inner.Code)}
		f.Status, _ = strconv.Atoi(string(inner.Code)) // 0, unknown, unless the code is a number
		return f
	}
	for _, raw := range []json.RawMessage{outer.Error, outer.Message, outer.Detail} {
		if s := text(raw); s != "" {
			f.Message = c.clean(s, maxText)
			break
		}
	}
	return f
}

// inBand makes the error of a failure that came inside an answer with status 200. Its own words take the place of the
// status; when they say nothing that is known, the server is taken to be unavailable.
func (c *Client) inBand(body []byte) *events.Error {
	f := c.parseFailure(body)
	if f.Status < 400 || f.Status > 599 {
		f.Status = http.StatusServiceUnavailable
		for _, reason := range f.Reasons {
			if status := statusOf(reason); status != 0 {
				f.Status = status
			}
		}
	}
	if f.Message == "" {
		f.Message = "it broke off with an error that it does not explain"
	}
	return f.Error()
}

// statusOf gives the HTTP status with which a server usually sends an error of this type; 0 when it is not known.
func statusOf(reason string) int {
	switch reason {
	case "invalid_request_error", "context_length_exceeded":
		return http.StatusBadRequest
	case "authentication_error", "invalid_api_key":
		return http.StatusUnauthorized
	case "permission_error":
		return http.StatusForbidden
	case "not_found_error", "model_not_found":
		return http.StatusNotFound
	case "rate_limit_error", "rate_limit_exceeded", "requests", "tokens":
		return http.StatusTooManyRequests
	case "timeout_error":
		return http.StatusGatewayTimeout
	default:
		return 0
	}
}

// text returns the string that raw is, or "".
func text(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return s
}
