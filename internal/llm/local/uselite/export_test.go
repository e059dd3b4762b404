package uselite

import "context"

// What the tests need to see.
const (
	MaxTokens = maxTokens
	TileRows  = tileRows
	Chunk     = chunk
)

// Sums is what a tile comes to.
type Sums = sums

// Kernel is the loops that take the time.
type Kernel struct {
	Tile  func(x []float32, columns []byte, s *Sums)
	Dots  func(query, keys []float32, stride int, shares []float32)
	Blend func(shares, values []float32, stride int, to []float32)
}

// Kernels are the one of this machine and that of every machine.
func Kernels() map[string]Kernel {
	return map[string]Kernel{"machine's": {tile, dots, blend}, "plain": {tilePlain, dotsPlain, blendPlain}}
}

// Tokens returns the tokens of a text.
func (m *Model) Tokens(ctx context.Context, text string) ([]int32, error) {
	m.once.Do(m.load)
	if m.err != nil {
		return nil, m.err
	}
	return m.tokenizer.tokens(ctx, text)
}
