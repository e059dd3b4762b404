package wire

import (
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"strconv"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
)

// maxText bounds a server's own words before the shared code bounds them further, in bytes.
const maxText = 2048

// failure reads an answer whose status is not 200.
func (s *Server) failure(res *http.Response) *llm.Fault {
	if res.StatusCode >= 300 && res.StatusCode < 400 {
		return llm.Failure{
			Provider: s.cfg.Provider, Status: res.StatusCode, Message: "a redirect, which is not followed; check the base URL",
		}.Fault()
	}
	// What cannot be read is left out: the status alone decides the code.
	body, _ := io.ReadAll(io.LimitReader(res.Body, maxErrorBody))
	kind, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type"))
	f := s.cfg.ReadError(body)
	if f.Message == "" && kind == "text/plain" && len(body) < maxErrorBody { // a cut could go through the API key
		f.Message = string(body)
	}
	f.Provider, f.Status, f.Header, f.Message = s.cfg.Provider, res.StatusCode, res.Header, s.Clean(f.Message, maxText)
	if s.cfg.Reset != nil {
		f.Reset = s.cfg.Reset(res.Header, time.Now())
	}
	fault := f.Fault()
	fault.RequestID = s.Clean(res.Header.Get(s.cfg.RequestID), 100)
	return fault
}

// InBand makes the fault of a failure that came inside an answer with status 200, out of the body of the error, or of the event that
// holds it. Its own words take the place of the status; when they say nothing that is known, the server is taken to be unavailable.
func (s *Server) InBand(body []byte) *llm.Fault {
	f := s.cfg.ReadError(body)
	f.Provider, f.Message = s.cfg.Provider, s.Clean(f.Message, maxText)
	if f.Status < 400 || f.Status > 599 {
		f.Status = http.StatusServiceUnavailable
		for _, reason := range f.Reasons {
			if status := llm.StatusOf(reason); status != 0 {
				f.Status = status
			}
		}
	}
	if f.Message == "" {
		f.Message = "it broke off with an error that it does not explain"
	}
	return f.Fault()
}

// ReadError reads the error bodies that are about: OpenAI's and Anthropic's {"error": {…}}, {"error": "…"} of Hugging Face and
// Ollama, {"message": "…"} of Cohere, {"detail": "…"} of Python servers. What is none of them has no message.
func ReadError(body []byte) llm.Failure {
	var outer struct {
		Error   json.RawMessage `json:"error"`
		Message json.RawMessage `json:"message"`
		Detail  json.RawMessage `json:"detail"`
	}
	var f llm.Failure
	if json.Unmarshal(body, &outer) != nil {
		return f
	}
	var inner struct {
		Message string          `json:"message"`
		Type    string          `json:"type"`
		Code    json.RawMessage `json:"code"` // a string, a number or null
	}
	if json.Unmarshal(outer.Error, &inner) == nil && (inner.Message != "" || inner.Type != "" || inner.Code != nil) {
		f.Message, f.Reasons = inner.Message, []string{inner.Type, text(inner.Code)}
		f.Status, _ = strconv.Atoi(string(inner.Code)) // 0, unknown, unless the code is a number
		return f
	}
	for _, raw := range []json.RawMessage{outer.Error, outer.Message, outer.Detail} {
		if s := text(raw); s != "" {
			f.Message = s
			break
		}
	}
	return f
}

// text returns the string that raw is, or "".
func text(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return s
}
