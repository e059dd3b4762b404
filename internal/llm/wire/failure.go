package wire

import (
	"io"
	"mime"
	"net/http"
	"strings"
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
	fault := s.understood(f).Fault()
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
	return s.understood(f).Fault()
}

// understood adds to a failure the reasons that many servers have no word for, only a text: the conversation is too long for the model,
// or the model cannot do what is asked for. Words that a server has count more.
func (s *Server) understood(f llm.Failure) llm.Failure {
	if s.cfg.Understand != nil {
		s.cfg.Understand(&f)
	}
	switch f.Status {
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity:
		said := strings.ToLower(f.Message)
		for _, known := range [...]struct{ words, reason string }{
			{"maximum context length", llm.ReasonTooLong},        // OpenAI's imitators, vLLM
			{"prompt is too long", llm.ReasonTooLong},            // Anthropic
			{"too many tokens", llm.ReasonTooLong},               // Cohere
			{"request too large for", llm.ReasonTooLong},         // Groq
			{"exceeds the available context", llm.ReasonTooLong}, // llama.cpp
			{"exceeds the context length", llm.ReasonTooLong},    // Ollama
			{"must have less than", llm.ReasonTooLong},           // text-embeddings-inference: tokens, or characters
			{"maximum allowed batch size", llm.ReasonTooLong},    // text-embeddings-inference: texts
			{"does not support", llm.ReasonUnsupported},          // Ollama, DeepSeek, Anthropic
			{"not supported with this model", llm.ReasonUnsupported},
			{"not supported for this model", llm.ReasonUnsupported},
			{"not supported by this model", llm.ReasonUnsupported},
			{"not supported on this model", llm.ReasonUnsupported},
		} {
			if strings.Contains(said, known.words) {
				f.Reasons = append([]string{known.reason}, f.Reasons...)
				break
			}
		}
	}
	return f
}
