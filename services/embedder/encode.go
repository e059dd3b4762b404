package embedder

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Sizes by which the memory of a reply is guessed, in bytes.
const (
	replyRoom = 512 // what stands around the vectors
	itemRoom  = 64  // and around each of them
	floatRoom = 13  // one number and its comma, as a rule
)

// encode writes what encoding/json does of a reply, without reflection: vectors are long. The numbers are finite: whoever made the
// reply has seen to it. What is longer than limit is not written to its end; written is how many of the vectors are. Room is memory, empty,
// in which it is written if there is enough of it.
func encode(r *events.EmbeddingsResponse, limit int, room []byte) (b []byte, written int, err error) {
	size := replyRoom
	for i := range r.Data {
		v := r.Data[i].Embedding
		if v.Base64 {
			size += itemRoom + base64.StdEncoding.EncodedLen(4*len(v.Values))
		} else {
			size += itemRoom + floatRoom*len(v.Values)
		}
	}
	b = append(slices.Grow(room, min(size, limit+itemRoom)), `{"object":"list","data":[`...)
	for i := range r.Data {
		if i > 0 {
			b = append(b, ',')
		}
		if b, err = appendItem(b, &r.Data[i]); err != nil || len(b) > limit {
			return b, i + 1, err
		}
	}
	b, err = appendRest(b, r)
	return b, len(r.Data), err
}

// appendRest writes what stands behind the vectors.
func appendRest(b []byte, r *events.EmbeddingsResponse) (_ []byte, err error) {
	b = append(b, `],"model":`...)
	if b, err = appendText(b, r.Model); err != nil {
		return nil, err
	}
	b = strconv.AppendInt(append(b, `,"usage":{"prompt_tokens":`...), int64(r.Usage.PromptTokens), 10)
	b = append(strconv.AppendInt(append(b, `,"total_tokens":`...), int64(r.Usage.TotalTokens), 10), '}')
	if r.Space != nil {
		if b, err = appendSpace(append(b, `,"space":`...), r.Space); err != nil {
			return nil, err
		}
	}
	if r.Failed != 0 {
		b = strconv.AppendInt(append(b, `,"failed":`...), int64(r.Failed), 10)
	}
	if r.Vectors != nil {
		if b, err = appendJSON(append(b, `,"vectors":`...), r.Vectors); err != nil {
			return nil, err
		}
	}
	return append(b, '}'), nil
}

// appendSpace writes a space.
func appendSpace(b []byte, s *events.EmbeddingSpace) (_ []byte, err error) {
	if b, err = appendText(append(b, `{"id":`...), s.ID); err != nil {
		return nil, err
	}
	if b, err = appendText(append(b, `,"model":`...), s.Model); err != nil {
		return nil, err
	}
	if s.Revision != "" {
		if b, err = appendText(append(b, `,"revision":`...), s.Revision); err != nil {
			return nil, err
		}
	}
	b = strconv.AppendInt(append(b, `,"dimensions":`...), int64(s.Dimensions), 10)
	return append(strconv.AppendBool(append(b, `,"normalized":`...), s.Normalized), '}'), nil
}

// appendText writes a text. Nearly all are such that nothing in them has to be escaped.
func appendText(b []byte, text string) ([]byte, error) {
	for _, c := range []byte(text) {
		if c < ' ' || c >= utf8.RuneSelf || c == '"' || c == '\\' {
			return appendJSON(b, text)
		}
	}
	return append(append(append(b, '"'), text...), '"'), nil
}

// appendItem writes one embedding.
func appendItem(b []byte, e *events.Embedding) (_ []byte, err error) {
	b = strconv.AppendInt(append(b, `{"object":"embedding","index":`...), int64(e.Index), 10)
	b = append(b, `,"embedding":`...)
	if e.Embedding.Base64 {
		b = appendBase64(b, e.Embedding.Values)
	} else {
		b = appendNumbers(b, e.Embedding.Values)
	}
	if e.Truncated != nil {
		if b, err = appendJSON(append(b, `,"truncated":`...), e.Truncated); err != nil {
			return nil, err
		}
	}
	if e.Error != nil {
		if b, err = appendJSON(append(b, `,"error":`...), e.Error); err != nil {
			return nil, err
		}
	}
	return append(b, '}'), nil
}

// appendBase64 writes little-endian float32 in base64, a piece at a time.
func appendBase64(b []byte, values []float32) []byte {
	const at = 192 // numbers a piece: three of four bytes each fill whole groups of base64
	var piece [4 * at]byte
	b = append(b, '"')
	for len(values) > 0 {
		n := min(at, len(values))
		for i, f := range values[:n] {
			binary.LittleEndian.PutUint32(piece[4*i:], math.Float32bits(f))
		}
		b = base64.StdEncoding.AppendEncode(b, piece[:4*n])
		values = values[n:]
	}
	return append(b, '"')
}

// appendNumbers writes a list of numbers, each with as many digits as it takes to read the same float32 again.
func appendNumbers(b []byte, values []float32) []byte {
	const small, large = 1e-6, 1e21 // between them encoding/json writes no exponent
	b = append(b, '[')
	for i, f := range values {
		if i > 0 {
			b = append(b, ',')
		}
		format := byte('f')
		if abs := math.Abs(float64(f)); abs != 0 && (float32(abs) < small || float32(abs) >= large) {
			format = 'e'
		}
		b = strconv.AppendFloat(b, float64(f), format, -1, 32)
	}
	return append(b, ']')
}

// appendJSON writes what is short or rare.
func appendJSON(b []byte, v any) ([]byte, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, events.Errorf(events.CodeInternal, "a reply cannot be written: %w", err)
	}
	return append(b, text...), nil
}
