package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"hash"
	"strconv"
	"sync"
)

// macTextBytes is the length of a MAC in base64.
const macTextBytes = (sha256.Size + 2) / 3 * 4

// mac computes HMAC-SHA256 with one key, for many at once. The key is hashed once a state and not once a MAC, and the
// states are kept, so that a MAC allocates nothing.
type mac struct {
	key    []byte
	states sync.Pool // of *macState
}

// macState is what one MAC at a time needs.
type macState struct {
	hash hash.Hash
	head []byte
	sum  []byte
}

// newMAC returns the mac of key.
func newMAC(key []byte) *mac { return &mac{key: key} }

// content returns the MAC over what Standard Webhooks signs.
func (m *mac) content(id string, seconds int64, body []byte) [sha256.Size]byte {
	s := m.state()
	defer m.states.Put(s)
	s.head = appendHead(s.head[:0], id, seconds)
	s.hash.Write(s.head)
	return s.finish(body)
}

// body returns the MAC over body alone.
func (m *mac) body(body []byte) [sha256.Size]byte {
	s := m.state()
	defer m.states.Put(s)
	return s.finish(body)
}

// state returns a state that has seen nothing but the key.
func (m *mac) state() *macState {
	s, ok := m.states.Get().(*macState)
	if !ok {
		return &macState{hash: hmac.New(sha256.New, m.key), sum: make([]byte, 0, sha256.Size)}
	}
	s.hash.Reset()
	return s
}

// finish adds the body and returns the MAC.
func (s *macState) finish(body []byte) [sha256.Size]byte {
	s.hash.Write(body)
	s.sum = s.hash.Sum(s.sum[:0])
	return [sha256.Size]byte(s.sum)
}

// appendHead appends what stands before the body in what is signed: "<id>.<timestamp>.".
func appendHead(to []byte, id string, seconds int64) []byte {
	to = append(append(to, id...), '.')
	return append(strconv.AppendInt(to, seconds, 10), '.')
}

// signedContent returns what Standard Webhooks signs: "<id>.<timestamp>.<body>".
func signedContent(id string, seconds int64, body []byte) []byte {
	content := make([]byte, 0, len(id)+len("..")+maxDigits+len(body))
	return append(appendHead(content, id, seconds), body...)
}

// maxDigits is the length of the longest timestamp.
const maxDigits = 20

// macText returns a MAC as it stands in a header.
func macText(sum [sha256.Size]byte) (text [macTextBytes]byte) {
	base64.StdEncoding.Encode(text[:], sum[:])
	return text
}
