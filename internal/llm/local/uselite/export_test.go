package uselite

import "context"

// What the tests need to see.
const (
	MaxTokens = maxTokens
	Overlap   = overlap
	TileRows  = tileRows
)

// Sums is what a tile comes to.
type Sums = sums

// Tile is the tile of this machine, TilePlain that of every machine.
func Tile(x []float32, columns []byte, s *Sums)      { tile(x, columns, s) }
func TilePlain(x []float32, columns []byte, s *Sums) { tilePlain(x, columns, s) }

// Windows returns the windows of tokens.
func Windows(tokens []int32) (list [][]int32) {
	for w := range windows(tokens) {
		list = append(list, w)
	}
	return list
}

// Tokens returns the tokens of a text.
func (m *Model) Tokens(ctx context.Context, text string) ([]int32, error) {
	m.once.Do(m.load)
	if m.err != nil {
		return nil, m.err
	}
	return m.tokenizer.tokens(ctx, text)
}
