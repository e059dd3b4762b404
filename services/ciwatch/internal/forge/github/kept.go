package github

import (
	"bytes"
	"compress/flate"
	"container/list"
	"fmt"
	"io"
	"slices"
	"sync"
)

// value is what was read of an answer. It is never changed.
type value interface {
	// size is what it takes, in bytes, roughly.
	size() int
}

// kept is an answer that can be given again when GitHub says that it has not changed.
type kept struct {
	url   string
	value value
	// body is the answer itself, compressed, from which the ETag for another token is made; nil when ETags are made in a way that
	// we do not know.
	body []byte
	// etags are those that GitHub gave to this very body, the last used at the end.
	etags []givenETag
	// sum tells whether another answer has the same body.
	sum string
}

// givenETag is one, and what the answer was asked for with.
type givenETag struct {
	by   fingerprint
	etag string
}

// maxETags bounds the tokens for which the ETag of one answer is remembered.
const maxETags = 8

// cost is what it takes, in bytes, roughly: with the bookkeeping around it.
func (k *kept) cost() int { return len(k.url) + len(k.body) + k.value.size() + 1024 }

// reckon returns the ETag that GitHub gives to this body for another authorization, empty when we do not know how.
func (k *kept) reckon(authorization string) string {
	if k.body == nil {
		return ""
	}
	etag, err := expectedETag(authorization, flate.NewReader(bytes.NewReader(k.body)))
	if err != nil {
		return "" // what we compressed ourselves; without an ETag the answer comes whole
	}
	return etag
}

// store keeps answers by their URL, those that were asked for last, within a number of bytes.
type store struct {
	max int

	mu    sync.Mutex
	bytes int
	byURL map[string]*list.Element
	order *list.List // the last used in front
}

func newStore(limit int) *store {
	return &store{max: limit, byURL: map[string]*list.Element{}, order: list.New()}
}

// get returns what is kept of a URL and the ETag to ask for it with, or nothing.
func (s *store) get(url, authorization string) (*kept, string) {
	s.mu.Lock()
	element, ok := s.byURL[url]
	if !ok {
		s.mu.Unlock()
		return nil, ""
	}
	s.order.MoveToFront(element)
	k := element.Value.(*kept) //nolint:errcheck,forcetypeassert // nothing else is in the list
	etag := k.given(fingerprintOf(authorization))
	s.mu.Unlock()
	if etag == "" { // it takes a while, and the body never changes
		etag = k.reckon(authorization)
	}
	return k, etag
}

// knows reports whether GitHub has given an ETag for a URL to an authorization, so that none has to be reckoned.
func (s *store) knows(url, authorization string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	element, ok := s.byURL[url]
	return ok && element.Value.(*kept).given(fingerprintOf(authorization)) != "" //nolint:errcheck,forcetypeassert // nothing else is in the list
}

// confirm remembers that GitHub takes an ETag for one of what is kept.
func (s *store) confirm(k *kept, authorization, etag string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if element, ok := s.byURL[k.url]; !ok || element.Value != k {
		return // another answer came in between
	}
	k.remember(fingerprintOf(authorization), etag)
}

// given returns the ETag that GitHub gave to an authorization, or nothing.
func (k *kept) given(by fingerprint) string {
	for _, given := range k.etags {
		if given.by == by {
			return given.etag
		}
	}
	return ""
}

// remember adds an ETag, as the last used, in the place of the one that was not used for longest if there are too many: that of a
// token which was rotated away.
func (k *kept) remember(by fingerprint, etag string) {
	k.etags = slices.DeleteFunc(k.etags, func(given givenETag) bool { return given.by == by })
	if len(k.etags) >= maxETags {
		k.etags = slices.Delete(k.etags, 0, 1)
	}
	k.etags = append(k.etags, givenETag{by, etag})
}

// put keeps an answer in the place of an earlier one. Of the same body, the ETags for other tokens are still good.
func (s *store) put(url, authorization, etag string, body []byte, v value) error {
	k, err := newKept(url, authorization, etag, body, v)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if element, ok := s.byURL[url]; ok {
		old := s.remove(element)
		if old.sum == k.sum {
			k.etags = old.etags
			k.remember(fingerprintOf(authorization), etag)
		}
	}
	if k.cost() > s.max {
		return nil
	}
	s.byURL[url] = s.order.PushFront(k)
	s.bytes += k.cost()
	for s.bytes > s.max {
		s.remove(s.order.Back())
	}
	return nil
}

// remove forgets an answer.
func (s *store) remove(element *list.Element) *kept {
	k := s.order.Remove(element).(*kept) //nolint:errcheck,forcetypeassert // nothing else is in the list
	delete(s.byURL, k.url)
	s.bytes -= k.cost()
	return k
}

// newKept makes what is kept of an answer. Its body is, only if its ETag is made in the way that we know.
func newKept(url, authorization, etag string, body []byte, v value) (*kept, error) {
	k := &kept{url: url, value: v, etags: []givenETag{{fingerprintOf(authorization), etag}}}
	sum := fingerprintOf(string(body))
	k.sum = string(sum[:])
	expected, err := expectedETag(authorization, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("reckoning the ETag: %w", err)
	}
	if !sameETag(expected, etag) {
		return k, nil
	}
	var compressed bytes.Buffer
	w, err := flate.NewWriter(&compressed, flate.BestSpeed)
	if err != nil {
		return nil, fmt.Errorf("compressing the answer: %w", err)
	}
	if _, err := io.Copy(w, bytes.NewReader(body)); err != nil {
		return nil, fmt.Errorf("compressing the answer: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("compressing the answer: %w", err)
	}
	k.body = bytes.Clone(compressed.Bytes())
	return k, nil
}
