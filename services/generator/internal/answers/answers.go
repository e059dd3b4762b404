// Package answers keeps whole answers, to give them again to who asks exactly the same.
//
// It is used only where a request, or the alias that it asks for, says so: a second answer of a model is another one, and
// whoever samples twice means it. A caller is given answers to its own questions only: how soon an answer comes must not tell
// what others have asked.
package answers

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"log/slog"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/neuron7x/mlsdm-integrations/internal/cache"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// largest is the longest answer that is kept, in bytes of JSON.
const largest = 1 << 20

// Cache is a cache of answers. Its zero value, and nil, keeps nothing.
type Cache struct {
	space *cache.Namespace
	log   *slog.Logger
}

// New returns a cache that keeps answers in space.
func New(space *cache.Namespace, log *slog.Logger) *Cache {
	return &Cache{space: space, log: log}
}

// Key names an answer.
type Key string

// KeyOf is the key of what caller asks of model: an alias, or "provider/model". What changes only how an answer is told (stream,
// stream_options) is no part of it; everything else is, in the canonical form of RFC 8785. The error is of a request that is not
// JSON, which none is that was read from the bus.
func KeyOf(caller, model string, req *events.ChatRequest) (Key, error) {
	asked := *req
	asked.Model, asked.Stream, asked.StreamOptions = model, false, nil
	asked.Messages, asked.Prompt = req.Conversation(), "" // the short form is the same question
	text, err := json.Marshal(asked)
	if err != nil {
		return "", err
	}
	canonical := jsontext.Value(text)
	// Whole numbers stay as they are: as floating point, two large seeds could be one.
	if err := canonical.Canonicalize(jsontext.CanonicalizeRawInts(false)); err != nil {
		return "", err
	}
	h := sha256.New()
	h.Write([]byte(caller))
	h.Write([]byte{0}) // no caller's name holds one
	h.Write(canonical)
	return Key("v1:" + caller + ":" + base64.RawURLEncoding.EncodeToString(h.Sum(nil))), nil
}

// Get returns the answer that is kept under a key, marked as cached and with the usage of when it was bought; nil when there is
// none. What cannot be read is none.
func (c *Cache) Get(ctx context.Context, key Key) *events.ChatResponse {
	if c == nil || c.space == nil {
		return nil
	}
	kept, ok := c.space.Get(ctx, string(key))
	if !ok {
		return nil
	}
	var answer events.ChatResponse
	if err := json.Unmarshal(kept, &answer); err != nil || len(answer.Choices) == 0 {
		c.log.WarnContext(ctx, "the cache of answers holds one that cannot be read", "bytes", len(kept))
		return nil
	}
	if answer.Usage == nil {
		answer.Usage = &events.ChatUsage{}
	}
	answer.Usage.Cached, answer.Usage.Cost = true, nil
	return &answer
}

// Put keeps an answer if it is complete: one that was cut short, or refused, may be another next time.
func (c *Cache) Put(ctx context.Context, key Key, answer *events.ChatResponse) {
	if c == nil || c.space == nil || len(answer.Choices) == 0 || slices.ContainsFunc(answer.Choices, incomplete) {
		return
	}
	kept, err := json.Marshal(answer)
	if err != nil || len(kept) > largest {
		c.log.DebugContext(ctx, "an answer is not kept", "bytes", len(kept), "err", err)
		return
	}
	c.space.Set(ctx, string(key), kept)
}

func incomplete(choice events.ChatChoice) bool {
	return choice.FinishReason != events.FinishStop && choice.FinishReason != events.FinishToolCalls
}
