package cohere

import (
	"fmt"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/vectors"
)

// Cohere's words for floating point, as numbers and as base64 of them (https://docs.cohere.com/reference/embed, embedding_types). Of
// quantised output its words are ours.
const (
	typeFloat  = "float"
	typeBase64 = "base64"
)

// form is the type of embeddings that is asked for.
func (c *Client) form(output llm.OutputType) string {
	switch {
	case output != llm.OutputFloat:
		return string(output)
	case c.base64:
		return typeBase64
	default:
		return typeFloat
	}
}

// Numbers of a byte, by which a signed one is below an unsigned.
const (
	middle     = 128
	mostOfByte = 255
)

// widen makes of each row, as it stands on the wire, a vector with one number for each dimension.
func widen(output llm.OutputType, rows [][]float32) error {
	if output == llm.OutputFloat {
		return nil
	}
	lowest := float32(-middle)
	if output == llm.OutputUint8 || output == llm.OutputUbinary {
		lowest = 0
	}
	packed := output == llm.OutputBinary || output == llm.OutputUbinary
	for i, row := range rows {
		for j, number := range row {
			if number < lowest || number > lowest+mostOfByte || number != float32(int(number)) {
				return fmt.Errorf("vector %d holds %v", i, number)
			}
			row[j] = number - lowest - middle
		}
		if !packed {
			continue
		}
		if len(row) > vectors.MaxDimensions/8 {
			return fmt.Errorf("vector %d has %d dimensions; %d are the most", i, 8*len(row), vectors.MaxDimensions)
		}
		rows[i] = bits(row)
	}
	return nil
}

// bits are those of bytes, less 128 each, the highest of each first: 1 where one is set, -1 where not. Were it so that signed bytes have to be
// read as two's complement, the highest of each would be the other one in all vectors alike, and no dot product would differ.
func bits(bytes []float32) []float32 {
	out := make([]float32, 0, 8*len(bytes))
	for _, b := range bytes {
		for value, bit := int(b)+middle, 1<<7; bit > 0; bit >>= 1 {
			if value&bit != 0 {
				out = append(out, 1)
			} else {
				out = append(out, -1)
			}
		}
	}
	return out
}
