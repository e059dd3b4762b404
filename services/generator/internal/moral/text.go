package moral

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Kinds of texts in an answer.
const (
	kindContent = iota
	kindReasoning
	kindRefusal
	kindCall
)

// source says where in an answer a text stands.
type source struct{ choice, kind, call int }

// lane is one text of an answer, as the chunks bring it.
type lane struct {
	text []byte // what is new, behind the end of what was scored
	old  int    // bytes of text that were scored
}

// texts are the texts of an answer that are followed, in the order of their beginnings.
type texts struct {
	lanes []*lane
	by    map[source]*lane
	at    source // that of the last piece
	last  *lane
}

// add takes the text of a chunk. It returns how many runes that are, whether a choice ends with it, and whether a sentence does.
func (t *texts) add(chunk *events.ChatChunk) (runes int, ends, sentence bool) {
	add := func(choice, kind, call int, text string) {
		if text == "" {
			return
		}
		l := t.lane(source{choice, kind, call})
		l.text = append(l.text, text...)
		runes += max(utf8.RuneCountInString(text), 1)
		sentence = endsSentence(text)
	}
	for i := range chunk.Choices {
		c := &chunk.Choices[i]
		add(c.Index, kindContent, 0, c.Delta.Content)
		add(c.Index, kindReasoning, 0, c.Delta.ReasoningContent)
		add(c.Index, kindRefusal, 0, c.Delta.Refusal)
		for n := range c.Delta.ToolCalls {
			call := &c.Delta.ToolCalls[n]
			index := n
			if call.Index != nil {
				index = *call.Index
			}
			add(c.Index, kindCall, index, call.Function.Name)
			add(c.Index, kindCall, index, call.Function.Arguments)
		}
		ends = ends || c.FinishReason != nil
	}
	return runes, ends, sentence
}

// lane returns the text that a piece belongs to: mostly that of the last one.
func (t *texts) lane(at source) *lane {
	if t.last != nil && t.at == at {
		return t.last
	}
	l := t.by[at]
	if l == nil {
		l = new(lane)
		if t.by == nil {
			t.by = make(map[source]*lane)
		}
		t.by[at] = l
		t.lanes = append(t.lanes, l)
	}
	t.at, t.last = at, l
	return l
}

// take joins what is new, each text behind the last overlap runes of what was scored of it.
func (t *texts) take(overlap int) string {
	var joined strings.Builder
	for _, l := range t.lanes {
		if len(l.text) == l.old {
			continue
		}
		if joined.Len() > 0 {
			joined.WriteString(separator)
		}
		joined.Write(l.text)
		l.keep(overlap)
	}
	if len(t.lanes) > maxLanes { // no model needs so many
		*t = texts{}
	}
	return joined.String()
}

// keep keeps the last runes.
func (l *lane) keep(runes int) {
	from := len(l.text)
	for range runes {
		if from == 0 {
			break
		}
		_, size := utf8.DecodeLastRune(l.text[:from])
		from -= size
	}
	l.text = append(l.text[:0], l.text[from:]...)
	const usual = 64 << 10
	if cap(l.text) > usual { // a chunk was large
		l.text = slices.Clone(l.text)
	}
	l.old = len(l.text)
}

// endsSentence reports whether a text ends where a sentence may.
func endsSentence(text string) bool {
	switch r, _ := utf8.DecodeLastRuneInString(text); r {
	case '.', '!', '?', '…', '\n', '。', '！', '？', '؟', '।':
		return true
	default:
		return false
	}
}

// clone copies a chunk, of which only the texts are not copied: they do not change.
func clone(c *events.ChatChunk) events.ChatChunk {
	held := *c
	held.Usage = copied(c.Usage)
	if held.Usage != nil {
		held.Usage.PromptTokensDetails = copied(c.Usage.PromptTokensDetails)
		held.Usage.CompletionTokensDetails = copied(c.Usage.CompletionTokensDetails)
		held.Usage.Cost = copied(c.Usage.Cost)
	}
	held.Choices = slices.Clone(c.Choices)
	for i := range held.Choices {
		choice := &held.Choices[i]
		choice.FinishReason = copied(choice.FinishReason)
		choice.Logprobs = slices.Clone(choice.Logprobs)
		choice.Delta.Annotations = slices.Clone(choice.Delta.Annotations)
		choice.Delta.ToolCalls = slices.Clone(choice.Delta.ToolCalls)
		for n := range choice.Delta.ToolCalls {
			call := &choice.Delta.ToolCalls[n]
			call.Index = copied(call.Index)
		}
	}
	return held
}

// copied copies what a pointer leads to.
func copied[T any](p *T) *T {
	if p == nil {
		return nil
	}
	v := *p
	return &v
}
