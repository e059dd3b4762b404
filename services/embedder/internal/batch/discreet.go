package batch

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/services/embedder/internal/tokenids"
)

// What a provider says of a call may quote a text of it. It is told to all whose texts are in the call, who may be several callers.

// How many bytes at the beginning of a text are looked for in what is said of it, at most and at least.
const quotedMost, quotedLeast = 24, 4

// several reports whether texts are those of several callers.
func several(texts []*text) bool {
	return slices.ContainsFunc(texts, func(t *text) bool { return t.caller != texts[0].caller })
}

// discreet returns a fault as all who share a call may hear of it: without what is said, if that quotes one of their texts.
func discreet(texts []*text, fault *llm.Fault) *llm.Fault {
	if !several(texts) || !slices.ContainsFunc(texts, func(t *text) bool { return quotes(fault.Err.Message, t.text) }) {
		return fault
	}
	return saying(fault, "the provider refused a call; what it said of it quotes a text, and is not told")
}

// quotes reports whether a message holds the beginning of a text, or one of the ids where it is token ids.
func quotes(message, text string) bool {
	if _, ids := tokenids.Count(text); ids {
		return quotesID(message, tokenids.Unpack(text))
	}
	start := strings.TrimSpace(text)
	if len(start) > quotedMost {
		end := quotedMost
		for !utf8.RuneStart(start[end]) {
			end--
		}
		start = start[:end]
	}
	return len(start) >= quotedLeast && strings.Contains(message, start)
}

// quotesID reports whether a number in a message is one of some ids.
func quotesID(message string, ids []int32) bool {
	numbers := strings.FieldsFunc(message, func(r rune) bool { return r < '0' || r > '9' })
	return slices.ContainsFunc(numbers, func(digits string) bool {
		id, err := strconv.ParseInt(digits, 10, 32)
		return err == nil && slices.Contains(ids, int32(id))
	})
}

// common is a fault of a call that both its halves have, as all whose texts are in it may hear of it: numbers and the like are told only
// if they are said of both halves, and so are not those of one text.
func common(texts []*text, fault, inFirst, inSecond *llm.Fault) *llm.Fault {
	if !several(texts) {
		return fault
	}
	said := strings.Fields(fault.Err.Message)
	for i, word := range said {
		both := strings.Contains(inFirst.Err.Message, word) && strings.Contains(inSecond.Err.Message, word)
		if !both && strings.ContainsAny(word, "0123456789") {
			said[i] = "…"
		}
	}
	return discreet(texts, saying(fault, strings.Join(said, " ")))
}

// saying is a fault with another message.
func saying(fault *llm.Fault, message string) *llm.Fault {
	f, e := *fault, *fault.Err
	e.Message = message
	f.Err = &e
	return &f
}
