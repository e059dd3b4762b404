package wire

import (
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// badKey is the fault of a key that cannot be sent.
func (s *Server) badKey(empty bool) *llm.Fault {
	e := events.Errorf(events.CodeUnauthenticated, "the API key holds a character that no key has (a space, a line break?)")
	if empty {
		e = events.Errorf(events.CodeUnauthenticated, "there is no API key now: the store of secrets does not give it any more")
	}
	e.Provider = s.cfg.Provider
	return &llm.Fault{Class: llm.ClassKey, Err: e}
}

// Clean cuts the API keys, plain or URL-encoded, out of what a server said, and bounds the rest to one line of n bytes.
func (s *Server) Clean(text string, n int) string {
	if text == "" {
		return ""
	}
	return llm.Bound(s.sent.cut(text), n)
}

// maxSent is how many keys are remembered: more than a provider may have, and some that were replaced.
const maxSent = 128

// sentKeys are the last keys that were sent to a server, which may repeat them in what it says: the answer to a request may come
// after its key was replaced.
type sentKeys struct {
	mu   sync.RWMutex
	keys []secret.Value
}

// add remembers a key.
func (s *sentKeys) add(key string) {
	has := func(sent secret.Value) bool { return sent.Reveal() == key }
	s.mu.RLock()
	known := slices.ContainsFunc(s.keys, has)
	s.mu.RUnlock()
	if known {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if slices.ContainsFunc(s.keys, has) {
		return
	}
	if len(s.keys) == maxSent {
		s.keys = slices.Delete(s.keys, 0, 1)
	}
	s.keys = append(s.keys, secret.NewValue(key))
}

// cut takes the keys, plain or URL-encoded, out of a text.
func (s *sentKeys) cut(text string) string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, key := range s.keys {
		text = strings.ReplaceAll(text, key.Reveal(), secret.Redacted)
		text = strings.ReplaceAll(text, url.QueryEscape(key.Reveal()), secret.Redacted)
	}
	return text
}
