// Package weights is the file that holds the weights of the Universal Sentence Encoder Lite, rounded to 8 bits: what is in it, how it
// is written and how it is read.
//
// The file is, little-endian and without gaps:
//
//	"USELITE1"
//	pieces        a uint32 with their number, then each: float32 score, uint8 length, UTF-8
//	table         [Rows]float32 scales, then [Rows][Narrow]int8
//	frequencies   [Narrow/2]float32
//	layer 1       norm, matrix QKV, matrix out, matrix skip, norm, matrix up, matrix down
//	layer 2       the same without skip
//	head          matrix
//
// A norm is a [width]float32 of scales and one of biases. A matrix is [Out]float32 scales, [Out]float32 biases, and its int8 numbers in
// panels of [Panel] columns: all of a panel's rows follow each other, so that a product reads them in order.
package weights

// Shapes of the model.
const (
	// Rows is the number of vectors in the table: one for each piece, and two that the model never uses.
	Rows = 8002
	// Narrow is the width in front of the first layer.
	Narrow = 256
	// Wide is the width behind it, and that of the answer.
	Wide = 512
	// Inner is the width inside of the feed-forward part of a layer.
	Inner = 1536
	// Heads is the number of attention heads of a layer.
	Heads = 4
	// Reserved is the number of pieces at the begin of the vocabulary that no text is made of; piece 0 is the unknown one.
	Reserved = 6
	// Panel is the number of columns that stand together; every matrix has a multiple of it.
	Panel = 16
)

// SHA256 is the hash of the file that package uselite embeds, in hexadecimal. Other weights are another model.
const SHA256 = "8baa2f3ac3207e9613a15af80e270e67f3d4e71d7169723da01a1f111f3262fe"

// magic is how the file begins.
const magic = "USELITE1"

// Model is all that is in the file.
type Model struct {
	// Pieces is the vocabulary of the tokenizer: a token is an index of it.
	Pieces []Piece
	// Scale and Table are the vector of each token: Scale[t] * int8(Table[t*Narrow+j]).
	Scale []float32
	Table []byte
	// Frequencies are those of the waves that tell positions, in radians a token.
	Frequencies []float32
	Layers      [2]Layer
	// Head makes the answer of the mean over the tokens.
	Head Matrix
}

// Piece is one entry of the vocabulary: a text and the logarithm of how likely it is.
type Piece struct {
	Text  string
	Score float32
}

// Layer is one layer of the transformer.
type Layer struct {
	// Before is the normalisation in front of the attention, Between that in front of the feed-forward part.
	Before, Between Norm
	// QKV makes queries, keys and values, Out puts the heads together, Up and Down are the feed-forward part. Skip is around the
	// attention where the width changes; without it (In is 0) the input is added as it is.
	QKV, Out, Skip, Up, Down Matrix
}

// Norm is a layer normalisation.
type Norm struct{ Scale, Bias []float32 }

// Matrix is a dense part: y = x·w + Bias, where column j of w is Scale[j] * int8.
type Matrix struct {
	In, Out     int
	Scale, Bias []float32
	// Data holds In*Out signed numbers in panels.
	Data []byte
}

// Columns returns a panel's numbers: Panel of each row, row by row.
func (m *Matrix) Columns(panel int) []byte {
	size := m.In * Panel
	return m.Data[panel*size : (panel+1)*size]
}

// codec reads or writes parts of the file; after an error it does nothing.
type codec interface {
	magic()
	pieces(list *[]Piece)
	floats(list *[]float32, n int)
	bytes(list *[]byte, n int)
}

// code is the order of the parts, for reading and for writing.
func (m *Model) code(c codec) {
	c.magic()
	c.pieces(&m.Pieces)
	c.floats(&m.Scale, Rows)
	c.bytes(&m.Table, Rows*Narrow)
	c.floats(&m.Frequencies, Narrow/2)
	width := Narrow
	for i := range m.Layers {
		l := &m.Layers[i]
		l.Before.code(c, width)
		l.QKV.code(c, width, 3*width)
		l.Out.code(c, width, Wide)
		if width != Wide {
			l.Skip.code(c, width, Wide)
		}
		l.Between.code(c, Wide)
		l.Up.code(c, Wide, Inner)
		l.Down.code(c, Inner, Wide)
		width = Wide
	}
	m.Head.code(c, Wide, Wide)
}

func (n *Norm) code(c codec, width int) {
	c.floats(&n.Scale, width)
	c.floats(&n.Bias, width)
}

func (m *Matrix) code(c codec, in, out int) {
	m.In, m.Out = in, out
	c.floats(&m.Scale, out)
	c.floats(&m.Bias, out)
	c.bytes(&m.Data, in*out)
}
