package events

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"math"
	"strconv"
	"unicode/utf8"
)

// Largest numbers of texts in one embeddings request: an interactive one (OpenAI's limit), and a durable one.
const (
	MaxInputs        = 2048
	MaxDurableInputs = 100_000
)

// Values of encoding_format.
const (
	EncodingFloat  = "float"
	EncodingBase64 = "base64"
)

// Values of input_type.
const (
	InputQuery          = "query"
	InputDocument       = "document"
	InputClassification = "classification"
	InputClustering     = "clustering"
)

// Values of truncate.
const (
	TruncateEnd  = "end"
	TruncateNone = "none"
)

// EmbeddingsRequest is the body of a request on the embed subjects: OpenAI's POST /embeddings.
type EmbeddingsRequest struct {
	// Model is "provider/model", for example "local/hash-384". Empty: the service's default model.
	Model string `json:"model,omitempty"`
	// Input holds 1 to [MaxInputs] texts, none of them empty; in a durable request up to [MaxDurableInputs]. On the wire it is one
	// string or a list of strings; in their place may stand the ids of a text's tokens, a list of integers, or a list of such lists.
	Input TextInput `json:"input"`
	// Tokens holds the texts as token ids in the place of Input, which is then empty, in the same number; on the wire it is "input".
	// Only models whose server takes token ids answer: OpenAI and what speaks its protocol, and text-embeddings-inference. Elsewhere,
	// and where a prefix belongs before each text, it is an [Error] of code unsupported.
	Tokens TokenInput `json:"-"`
	// Dimensions asks for shorter vectors from a model that can shorten them; 0 is the model's own length.
	Dimensions int `json:"dimensions,omitempty" jsonschema:"minimum=0"`
	// EncodingFormat is "float" (the default) or "base64" (little-endian float32).
	EncodingFormat string `json:"encoding_format,omitempty" jsonschema:"enum=float,enum=base64"`
	// User is an opaque end-user id that is passed on to providers that take one.
	User string `json:"user,omitempty"`
	// InputType says what the texts are for, to models that tell it apart: "query", "document", "classification" or "clustering".
	// Empty is whatever the model takes for granted. The vectors of all of them lie in one space.
	InputType string `json:"input_type,omitempty" jsonschema:"enum=query,enum=document,enum=classification,enum=clustering"`
	// Truncate says what becomes of a text that is longer than the model reads: "end" (the default) drops its end and says so in the
	// reply, "none" makes it an error of that text.
	Truncate string `json:"truncate,omitempty" jsonschema:"enum=end,enum=none"`
	// AllowOtherSpace permits an answer by a model whose vectors cannot be compared with those of the model that was asked for, if
	// that one cannot answer and the operator names another. Without it that is an error. Token ids mean something to one model only:
	// of them no other is asked.
	AllowOtherSpace bool `json:"allow_other_space,omitempty"`
}

// Validate checks what can be known of an interactive request without asking a provider. It returns an [Error] of code
// invalid_argument.
func (r EmbeddingsRequest) Validate() error { return r.validate(MaxInputs) }

// ValidateDurable is Validate for a durable request, which may hold more texts.
func (r EmbeddingsRequest) ValidateDurable() error { return r.validate(MaxDurableInputs) }

// Count returns how many texts the request has, whether it holds them as texts or as token ids.
func (r EmbeddingsRequest) Count() int { return max(len(r.Input), len(r.Tokens)) }

func (r EmbeddingsRequest) validate(most int) error {
	switch n := r.Count(); {
	case len(r.Input) > 0 && len(r.Tokens) > 0:
		return Errorf(CodeInvalidArgument, "input holds texts, and Tokens token ids; a request has one of them")
	case n == 0:
		return Errorf(CodeInvalidArgument, "input is empty: give a text or a list of 1 to %d texts", most)
	case n > most:
		return Errorf(CodeInvalidArgument, "input has %d texts; at most %d fit one request%s", n, most, durableHint(most))
	case r.Dimensions < 0:
		return Errorf(CodeInvalidArgument, "dimensions is %d; it must be positive, or absent", r.Dimensions)
	case r.EncodingFormat != "" && r.EncodingFormat != EncodingFloat && r.EncodingFormat != EncodingBase64:
		return Errorf(CodeInvalidArgument, "encoding_format is %q; it must be %q or %q", truncate(r.EncodingFormat, 40), EncodingFloat, EncodingBase64)
	}
	if err := firstError(
		oneOf("input_type", cmp.Or(r.InputType, InputQuery), InputQuery, InputDocument, InputClassification, InputClustering),
		oneOf("truncate", cmp.Or(r.Truncate, TruncateEnd), TruncateEnd, TruncateNone),
	); err != nil {
		return err
	}
	for i, text := range r.Input {
		if text == "" {
			return Errorf(CodeInvalidArgument, "input[%d] is an empty string; remove it", i)
		}
		if !utf8.ValidString(text) { // writing it as JSON would change it without a word
			return Errorf(CodeInvalidArgument, "input[%d] is not valid UTF-8", i)
		}
	}
	return r.Tokens.validate()
}

// durableHint tells who asks for too much at once what would take it.
func durableHint(most int) string {
	if most == MaxInputs {
		return " here, and " + strconv.Itoa(MaxDurableInputs) + " a durable one"
	}
	return ""
}

// TextInput is the texts of an embeddings request. In JSON it is a string or a list of strings; it is written as a list
// unless it holds exactly one text.
type TextInput []string

// MarshalJSON implements [json.Marshaler].
func (t TextInput) MarshalJSON() ([]byte, error) {
	if len(t) == 1 {
		return json.Marshal(t[0])
	}
	return json.Marshal([]string(t))
}

// UnmarshalJSON implements [json.Unmarshaler]. OpenAI's other two forms, lists of token ids, are those of [TokenInput].
func (t *TextInput) UnmarshalJSON(b []byte) error {
	b = bytes.TrimSpace(b)
	if len(b) > 0 && b[0] == '"' {
		var s string
		if err := json.Unmarshal(b, &s); err != nil {
			return Errorf(CodeInvalidArgument, "input is not a valid string: %w", err)
		}
		*t = TextInput{s}
		return nil
	}
	var list []string
	if err := json.Unmarshal(b, &list); err == nil && list != nil {
		*t = list // a null in it is an empty string, which Validate refuses
		return nil
	}
	return Errorf(CodeInvalidArgument, "input must be a string, a list of strings, a list of token ids, or a list of such lists")
}

// EmbeddingsResponse is the reply to an [EmbeddingsRequest].
type EmbeddingsResponse struct {
	// Object is always "list".
	Object string `json:"object"`
	// Data holds one embedding for each input, in the order of the inputs. With Vectors it holds only those of which there is more to
	// say than their vector: an error, or that the text was cut.
	Data []Embedding `json:"data"`
	// Model is the model whose vectors these are: the one that was asked for or, if the request allows it, the other one.
	Model string `json:"model"`
	// Usage counts the tokens.
	Usage EmbeddingsUsage `json:"usage"`
	// Space says in which space the vectors lie. Vectors of two replies can be compared if, and only if, their Space.ID is the same.
	Space *EmbeddingSpace `json:"space,omitempty"`
	// Failed is how many inputs have an error in the place of a vector.
	Failed int `json:"failed,omitempty" jsonschema:"minimum=0"`
	// Vectors is where the vectors are that are too many for one message; only of durable requests.
	Vectors *VectorsObject `json:"vectors,omitempty"`
}

// EmbeddingSpace is a vector space: what has to be the same for two vectors to be compared.
type EmbeddingSpace struct {
	// ID names the space. It is the same wherever the same model is asked for vectors of the same length.
	ID string `json:"id" jsonschema:"minLength=1"`
	// Model is the model as the operator knows it, whichever provider serves it; Revision is its version, if it is known.
	Model    string `json:"model" jsonschema:"minLength=1"`
	Revision string `json:"revision,omitempty"`
	// Dimensions is the length of the vectors.
	Dimensions int `json:"dimensions" jsonschema:"minimum=1"`
	// Normalized says that the vectors have the length 1 (L2), so that their dot product is their cosine.
	Normalized bool `json:"normalized"`
}

// VectorsObject is an object in the JetStream object store [ObjectsVectors] that holds vectors: float32, little-endian, one row of
// Dimensions numbers for each input, in the order of the inputs. The row of an input that failed holds zeros.
type VectorsObject struct {
	// Name is the object's. It cannot be guessed: whoever knows it may read it.
	Name string `json:"name" jsonschema:"minLength=1"`
	// Count is the number of rows and Dimensions their length; Size is that of the object in bytes.
	Count      int   `json:"count" jsonschema:"minimum=1"`
	Dimensions int   `json:"dimensions" jsonschema:"minimum=1"`
	Size       int64 `json:"size" jsonschema:"minimum=0"`
	// Digest is that of the object's content, "SHA-256=" and base64url, as the object store writes it.
	Digest string `json:"digest,omitempty"`
}

// Embedding is the vector of one input.
type Embedding struct {
	// Object is always "embedding".
	Object string `json:"object"`
	// Index is the position of the text in the request, from 0.
	Index int `json:"index" jsonschema:"minimum=0"`
	// Embedding is the vector. It is empty if there is an Error.
	Embedding Vector `json:"embedding"`
	// Truncated says that the end of the text was not read.
	Truncated *Truncation `json:"truncated,omitempty"`
	// Error says why there is no vector. The others of the request are not concerned.
	Error *ErrorBody `json:"error,omitempty"`
}

// Truncation says how much of a text was read.
type Truncation struct {
	// Tokens is how many the text has; 0 when only the provider could count them, and does not tell.
	Tokens int `json:"tokens,omitempty" jsonschema:"minimum=0"`
	// Used is how many were read; 0 when nobody tells.
	Used int `json:"used,omitempty" jsonschema:"minimum=0"`
}

// EmbeddingsUsage counts the tokens of an embeddings request, as the provider counted them.
type EmbeddingsUsage struct {
	PromptTokens int `json:"prompt_tokens"`
	TotalTokens  int `json:"total_tokens"`
}

// Vector is an embedding. In JSON it is a list of numbers, or, with Base64, a base64 string of little-endian float32.
type Vector struct {
	// Values are finite numbers.
	Values []float32
	// Base64 chooses the form in which the vector is written; it is set by reading one in that form.
	Base64 bool
}

// MarshalJSON implements [json.Marshaler]. A number that is not finite has no JSON form and is an error.
func (v Vector) MarshalJSON() ([]byte, error) {
	for i, f := range v.Values {
		if math.IsNaN(float64(f)) || math.IsInf(float64(f), 0) {
			return nil, Errorf(CodeInternal, "embedding[%d] is not a finite number", i)
		}
	}
	if !v.Base64 {
		if v.Values == nil {
			return []byte("[]"), nil
		}
		return json.Marshal(v.Values)
	}
	raw := make([]byte, 0, 4*len(v.Values))
	for _, f := range v.Values {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(f))
	}
	out := make([]byte, 0, base64.StdEncoding.EncodedLen(len(raw))+2)
	out = append(out, '"')
	out = base64.StdEncoding.AppendEncode(out, raw)
	return append(out, '"'), nil
}

// UnmarshalJSON implements [json.Unmarshaler]. It accepts both forms and returns an [Error] of code invalid_argument
// for anything else: other types, a base64 string whose length is no multiple of four bytes, numbers that are not finite.
func (v *Vector) UnmarshalJSON(b []byte) error {
	b = bytes.TrimSpace(b)
	if len(b) > 0 && b[0] == '"' {
		var raw []byte
		if err := json.Unmarshal(b, &raw); err != nil {
			return Errorf(CodeInvalidArgument, "embedding is not valid base64: %w", err)
		}
		if len(raw)%4 != 0 {
			return Errorf(CodeInvalidArgument, "embedding has %d bytes; float32 values take four each", len(raw))
		}
		values := make([]float32, len(raw)/4)
		for i := range values {
			values[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
			if math.IsNaN(float64(values[i])) || math.IsInf(float64(values[i]), 0) {
				return Errorf(CodeInvalidArgument, "embedding[%d] is not a finite number", i)
			}
		}
		*v = Vector{Values: values, Base64: true}
		return nil
	}
	var values []float32
	// A null in the list would be read as 0; no number is spelt with an n.
	if err := json.Unmarshal(b, &values); err != nil || values == nil || bytes.IndexByte(b, 'n') >= 0 {
		return Errorf(CodeInvalidArgument, "embedding must be a list of finite numbers or a base64 string")
	}
	*v = Vector{Values: values}
	return nil
}
