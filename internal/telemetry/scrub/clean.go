package scrub

import (
	"hash/maphash"
	"strings"
	"sync/atomic"
)

const (
	cleanSlots = 1024
	cleanMost  = 128 // bytes of a text that is remembered
)

// cleanTexts remembers texts in which nothing was found: the names of spans, models and subjects, which come again with each request.
// It is bounded (1,024 texts of at most 128 bytes), a newer text takes the place of an older one, and what was masked is never in it.
type cleanTexts struct {
	seed  maphash.Seed
	texts [cleanSlots]atomic.Pointer[string]
}

func (c *cleanTexts) slot(text string) *atomic.Pointer[string] {
	return &c.texts[maphash.String(c.seed, text)%cleanSlots]
}

// has reports whether nothing is to be masked in a text, as far as is remembered.
func (c *cleanTexts) has(text string) bool {
	if len(text) > cleanMost {
		return false
	}
	known := c.slot(text).Load()
	return known != nil && *known == text
}

// add remembers a text, by a copy: it may be a piece of a large one.
func (c *cleanTexts) add(text string) {
	if len(text) <= cleanMost {
		text = strings.Clone(text)
		c.slot(text).Store(&text)
	}
}
