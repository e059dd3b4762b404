package uselite

import (
	"context"
	"math"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/neuron7x/mlsdm-integrations/internal/llm/local/uselite/weights"
)

const (
	// unknown is the token of characters that no piece has.
	unknown = 0
	// space stands for the white space in front of a word, in pieces.
	space = '▁'
	// checkEvery is after how many words the tokenizer looks whether its context has ended.
	checkEvery = 1 << 12
)

// tokenizer cuts texts into the pieces of a vocabulary. It is for use by many at once.
type tokenizer struct {
	// next is the tree of all pieces, by bytes: the node behind a node (above the lowest 8 bits) and a byte.
	next map[uint32]uint32
	// ends has, for each node, the token of the piece that ends there, or 0.
	ends  []int32
	score []float64
}

// newTokenizer makes the tokenizer of a vocabulary.
func newTokenizer(pieces []weights.Piece) *tokenizer {
	t := &tokenizer{next: make(map[uint32]uint32, 1<<14), ends: make([]int32, 1, 1<<14), score: make([]float64, len(pieces))}
	for i, p := range pieces {
		t.score[i] = float64(p.Score)
		if i < weights.Reserved {
			continue
		}
		node := uint32(0)
		for _, b := range []byte(p.Text) {
			at := node<<8 | uint32(b)
			if _, ok := t.next[at]; !ok {
				t.next[at] = uint32(len(t.ends)) //nolint:gosec // some 30,000 nodes
				t.ends = append(t.ends, 0)
			}
			node = t.next[at]
		}
		t.ends[node] = int32(i) // of pieces that are there twice, the last counts
	}
	return t
}

// tokens returns the tokens of a text; none if there is nothing in it but what separates words.
func (t *tokenizer) tokens(ctx context.Context, text string) ([]int32, error) {
	if !norm.NFKC.IsNormalString(text) {
		text = norm.NFKC.String(text)
	}
	list := make([]int32, 0, len(text)/4+2)
	var l lattice
	words := 0
	for word := range strings.FieldsFuncSeq(text, separates) {
		if words%checkEvery == 0 && ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		words++
		list = l.cut(t, word, list)
	}
	return list, nil
}

// separates tells what stands between words.
func separates(r rune) bool {
	const zeroWidth, byteOrderMark = '\u200b', '\ufeff'
	return unicode.IsSpace(r) || unicode.IsControl(r) || r == space || r == zeroWidth || r == byteOrderMark
}

// lattice is what the tokenizer remembers of one word. It is kept from word to word for its memory.
type lattice struct {
	word  []byte
	steps []step
}

// step is the best way to a place in the word.
type step struct {
	score float64
	from  int
	token int32
}

// cut appends the most likely pieces of a word to a list (the algorithm is Viterbi's). No piece has a space but in front, so words can
// be cut one by one.
func (l *lattice) cut(t *tokenizer, word string, list []int32) []int32 {
	l.word = utf8.AppendRune(l.word[:0], space)
	l.word = append(l.word, word...)
	l.steps = l.steps[:0]
	for range len(l.word) + 1 {
		l.steps = append(l.steps, step{score: math.Inf(-1)})
	}
	l.steps[0].score = 0
	for at := 0; at < len(l.word); {
		_, size := utf8.DecodeRune(l.word[at:])
		if !math.IsInf(l.steps[at].score, -1) && !l.walk(t, at) {
			l.steps[at+size] = step{score: l.steps[at].score, from: at, token: unknown} // there is no other way
		}
		at += size
	}
	begin := len(list)
	for at := len(l.word); at > 0; at = l.steps[at].from {
		token := l.steps[at].token
		if last := len(list) - 1; token == unknown && last >= begin && list[last] == unknown {
			continue
		}
		list = append(list, token)
	}
	for i, j := begin, len(list)-1; i < j; i, j = i+1, j-1 {
		list[i], list[j] = list[j], list[i]
	}
	return list
}

// walk goes on from a place with all pieces that fit there, and says whether there are any. Every first character of a piece is a piece
// as well, so that where one fits, the next place can be reached.
func (l *lattice) walk(t *tokenizer, at int) (found bool) {
	node := uint32(0)
	for i, b := range l.word[at:] {
		var ok bool
		if node, ok = t.next[node<<8|uint32(b)]; !ok {
			break
		}
		token := t.ends[node]
		if token == 0 {
			continue
		}
		found = true
		end := &l.steps[at+i+1]
		if score := l.steps[at].score + t.score[token]; score >= end.score {
			*end = step{score: score, from: at, token: token}
		}
	}
	return found
}
