package moral

import (
	"context"
	"math"
	"slices"
	"unicode/utf8"

	"github.com/neuron7x/mlsdm-integrations/internal/llm/wire"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
)

// Pieces of long texts, in bytes: models of moderation look at some thousand tokens at a time.
const (
	maxPiece     = 16 << 10
	pieceOverlap = 512
)

// moderation asks OpenAI's POST /moderations, or who serves its protocol. The score of a text is 1 minus the highest score of its
// categories; that of a text in several pieces is the lowest of theirs. The server's own flag is not used, since where it draws the
// line is not known: it tells which categories stand in the event.
type moderation struct {
	server *wire.Server
	path   string
	model  string
}

// moderationRequest is OpenAI's. Input is a text, or several.
type moderationRequest struct {
	Model string `json:"model,omitempty"`
	Input any    `json:"input"`
}

type moderationAnswer struct {
	Results []struct {
		Categories map[string]bool     `json:"categories"`
		Scores     map[string]*float64 `json:"category_scores"`
	} `json:"results"`
}

// score implements scorer.
func (m *moderation) score(ctx context.Context, key secret.Value, q question) (verdict, error) {
	pieces := cut(q.text, maxPiece, pieceOverlap)
	ask := moderationRequest{Model: m.model, Input: q.text}
	if len(pieces) > 1 {
		ask.Input = pieces
	}
	var answer moderationAnswer
	if err := post(ctx, m.server, wire.Request{Path: m.path, Key: key}, ask, &answer); err != nil {
		return verdict{}, err
	}
	if len(answer.Results) != len(pieces) {
		return verdict{}, m.server.Bad("%d results for %d texts", len(answer.Results), len(pieces))
	}
	worst := 0.0
	var found []string
	for _, result := range answer.Results {
		if len(result.Scores) == 0 {
			return verdict{}, m.server.Bad("a result without category_scores")
		}
		for _, score := range result.Scores {
			const slack = 1e-6 // of a model that computes with few bits
			if score == nil || !(*score >= -slack && *score <= 1+slack) {
				return verdict{}, m.server.Bad("a score in category_scores is no number of 0 to 1")
			}
			worst = max(worst, *score)
		}
		for name, flagged := range result.Categories {
			if flagged {
				found = append(found, name)
			}
		}
	}
	return verdict{score: max(0, exact(1-min(worst, 1))), categories: categories(found)}, nil
}

// cut cuts a text into pieces of at most size bytes that overlap.
func cut(text string, size, overlap int) []string {
	var pieces []string
	for len(text) > size {
		end := boundary(text, size)
		pieces = append(pieces, text[:end])
		text = text[boundary(text, end-overlap):]
	}
	return append(pieces, text)
}

// boundary returns the last beginning of a rune at or before a place, as far as that can be seen.
func boundary(text string, at int) int {
	for i := at; i > 0 && at-i < utf8.UTFMax; i-- {
		if utf8.RuneStart(text[i]) {
			return i
		}
	}
	return at
}

// Bounds of what is taken over of a scorer's categories.
const (
	maxCategories = 32
	maxCategory   = 64 // bytes
)

// categories makes names of what a scorer says that it found: in order, each once. What is no name, made of letters, digits and _ - / .,
// is left out: it may be the text.
func categories(found []string) []string {
	names := slices.DeleteFunc(slices.Clone(found), func(name string) bool {
		return name == "" || len(name) > maxCategory || slices.ContainsFunc([]byte(name), func(c byte) bool {
			switch {
			case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '_', c == '-', c == '/', c == '.':
				return false
			default:
				return true
			}
		})
	})
	slices.Sort(names)
	names = slices.Compact(names)
	return names[:min(len(names), maxCategories)]
}

// inRange reports whether a score is a number of 0 to 1.
func inRange(score *float64) bool {
	return score != nil && !math.IsNaN(*score) && *score >= 0 && *score <= 1
}
