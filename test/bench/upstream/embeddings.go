package main

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"math"
	"net/http"
	"strconv"
)

// dimensions is the length of the vectors.
const dimensions = 1536

// embeddings knows one vector.
type embeddings struct {
	vector string // in base64
}

func newEmbeddings() *embeddings {
	raw := make([]byte, 0, 4*dimensions)
	for range dimensions {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(float32(1/math.Sqrt(dimensions))))
	}
	return &embeddings{vector: base64.StdEncoding.EncodeToString(raw)}
}

// answer answers.
func (e *embeddings) answer(w http.ResponseWriter, r *http.Request) {
	var ask struct {
		Input json.RawMessage `json:"input"`
	}
	if err := json.NewDecoder(r.Body).Decode(&ask); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	var texts []string
	if err := json.Unmarshal(ask.Input, &texts); err != nil {
		texts = []string{""}
	}
	b := make([]byte, 0, len(texts)*(len(e.vector)+64))
	b = append(b, `{"object":"list","data":[`...)
	for i := range texts {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(append(b, `{"object":"embedding","index":`...), int64(i), 10)
		b = append(append(append(b, `,"embedding":"`...), e.vector...), `"}`...)
	}
	b = append(b, `],"model":"text-embedding-3-small","usage":{"prompt_tokens":`...)
	b = strconv.AppendInt(b, int64(len(texts)), 10)
	b = strconv.AppendInt(append(b, `,"total_tokens":`...), int64(len(texts)), 10)
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(append(b, "}}"...)) // who asks sees that it is missing
}
