package openai

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"math"

	"github.com/go-json-experiment/json"
)

// decodeVector reads an embedding in either form: a list of numbers, or base64 of little-endian float32. Numbers that
// are not finite pass here; [llm.CheckVectors] finds them.
func decodeVector(raw []byte) ([]float32, error) {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 {
		return nil, errors.New("no embedding")
	}
	if raw[0] == '"' {
		return decodeBase64(raw)
	}
	if bytes.IndexByte(raw, 'n') >= 0 { // a null among the numbers would decode as a 0 that nobody computed
		return nil, errors.New("the embedding holds a null")
	}
	// This decoder takes half the time of encoding/json for a vector; see the benchmark beside it.
	var values []float32
	if err := json.Unmarshal(raw, &values); err != nil {
		return nil, errors.New("the embedding is no list of numbers in the range of float32")
	}
	return values, nil
}

// decodeBase64 reads a JSON string of base64.
func decodeBase64(raw []byte) ([]float32, error) {
	if len(raw) < 2 || raw[len(raw)-1] != '"' {
		return nil, errors.New("the embedding is no string")
	}
	text := raw[1 : len(raw)-1] // base64 needs no JSON escapes but "\/", which some encoders write
	text = bytes.ReplaceAll(text, []byte(`\/`), []byte(`/`))
	packed := make([]byte, base64.StdEncoding.DecodedLen(len(text)))
	n, err := base64.StdEncoding.Decode(packed, text)
	if err != nil || n%4 != 0 {
		return nil, errors.New("the embedding is no base64 of float32 values")
	}
	values := make([]float32, n/4)
	for i := range values {
		values[i] = math.Float32frombits(binary.LittleEndian.Uint32(packed[4*i:]))
	}
	return values, nil
}
