package openai

import (
	"errors"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// errKey is the error of a key that cannot stand in a header.
var errKey = errors.New("the API key holds a character that no key has (a space, a line break?)")

// checkKey returns a key without the white space around it.
func checkKey(text string) (string, error) {
	key := strings.TrimSpace(text)
	if strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", errKey
	}
	return key, nil
}

// key returns the key as it is now, and its text as its source has it; both are empty for a server that wants none.
func (c *Client) key() (key, text string, err error) {
	if c.cfg.Key.IsZero() {
		return "", "", nil
	}
	text = c.cfg.Key.Reveal()
	key, err = c.usable(text)
	return key, text, err
}

// usable makes a key of a text.
func (c *Client) usable(text string) (string, error) {
	key, err := checkKey(text)
	if err == nil && key == "" {
		err = errors.New("there is no API key now: the store of secrets does not give it any more")
	}
	if err != nil {
		e := events.Errorf(events.CodeUnauthenticated, "%w", err)
		e.Provider = c.cfg.Provider
		return "", e
	}
	c.sent.add(key)
	return key, nil
}

// maxSent is how many keys are remembered.
const maxSent = 4

// sentKeys are the last keys that were sent to a server, which may repeat them in what it says: the answer to a request may come
// after its key was replaced.
type sentKeys struct {
	mu   sync.Mutex
	keys []secret.Value
}

// add remembers a key.
func (s *sentKeys) add(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if slices.ContainsFunc(s.keys, func(sent secret.Value) bool { return sent.Reveal() == key }) {
		return
	}
	if len(s.keys) == maxSent {
		s.keys = slices.Delete(s.keys, 0, 1)
	}
	s.keys = append(s.keys, secret.NewValue(key))
}

// cut takes the keys, plain or URL-encoded, out of a text.
func (s *sentKeys) cut(text string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, key := range s.keys {
		text = strings.ReplaceAll(text, key.Reveal(), secret.Redacted)
		text = strings.ReplaceAll(text, url.QueryEscape(key.Reveal()), secret.Redacted)
	}
	return text
}
