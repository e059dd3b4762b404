package llmtest

import (
	"encoding/json"
	"math"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
)

// EmbedDialect is what [RunEmbed] has to know of one server's protocol of embeddings.
type EmbedDialect struct {
	// New makes the adapter for a server at a base URL, http://HOST:PORT. It sends all it sends through client.
	New func(t testing.TB, url string, client *http.Client) llm.EmbedAdapter
	// Provider is the name that every error has to carry.
	Provider string

	// Answer writes the whole answer that holds what a reply says, whether that makes sense or not.
	Answer func(r EmbedReply) string
	// Header are the header lines, "Name: value", that go with an answer; nil where there are none.
	Header func(r EmbedReply) []string
	// Sent reads what the adapter has sent.
	Sent func(t testing.TB, req *http.Request, body []byte) EmbedSent

	// Indexed is set when the server says which text a vector is of. Else the place in the list does.
	Indexed bool
	// Base64 is set when the server may write a vector as base64 of little-endian float32.
	Base64 bool
	// Depths are how deeply a server may nest the vector of one text, if it is not 1: 2 is a list for each token, and the suite then
	// expects that of one token its vector is made.
	Depths []int
	// Counts is set when the server tells how many tokens there were.
	Counts bool
	// Dimensions are lengths that the server can be asked for. Where there are none, asking is refused before anything is sent.
	Dimensions []int
	// InputTypes are the server's words for our input types; "" is what is sent without one. Nil sends none.
	InputTypes map[string]string
	// Tokens is the field in which token ids are sent. Where it is empty, they are refused before anything is sent.
	Tokens string
	// Outputs are the types of output that the server can be asked for; all others are refused before anything is sent.
	Outputs []llm.OutputType
	// Truncates is set when the server can be told to cut texts or not; User when it takes the name of one.
	Truncates, User bool

	// Error writes the body of an error that comes with a status of its own and says message.
	Error func(message string) string
	// InAnswer writes the body of an error inside an answer of status 200; nil where the protocol has none.
	InAnswer func(message string) string
	// TooLong is how the server says that a text is too long. Class, code and the rest need not be set.
	TooLong Failing
	// Errors are further answers with a status of their own and what is to be made of them.
	Errors []Failing
	// AnswerErrors are bodies of status 200 that are errors, or no answers at all. They answer a call of two texts.
	AnswerErrors []Failing
}

// EmbedReply is what a server shall answer, well or badly.
type EmbedReply struct {
	Items []EmbedItem
	// Tokens is how many there were.
	Tokens int
}

// EmbedItem is the vector of one text, as it stands on the wire.
type EmbedItem struct {
	// Index is the JSON text of the index. Empty leaves it out. It is for servers that are Indexed only.
	Index string
	// Vector is the JSON text of the vector: a list of numbers, or whatever else. Empty leaves it out, where it has a name.
	Vector string
}

// EmbedSent is what an adapter has sent, in the server's words where they differ from ours.
type EmbedSent struct {
	Model      string
	Texts      []string
	Dimensions int
	InputType  string
	Truncate   bool
	User       string
}

// Numbers is the JSON text of a vector.
func Numbers(v []float32) string {
	out := []byte{'['}
	for i, f := range v {
		if i > 0 {
			out = append(out, ',')
		}
		out = strconv.AppendFloat(out, float64(f), 'g', -1, 32)
	}
	return string(append(out, ']'))
}

// vectorsOf are n good vectors, no two of them alike.
func vectorsOf(n, dimensions int) [][]float32 {
	all := make([][]float32, n)
	for i := range all {
		all[i] = make([]float32, dimensions)
		for j := range all[i] {
			all[i][j] = float32(math.Sin(float64(i*dimensions + j + 1)))
		}
	}
	return all
}

// reply is the reply that holds vectors, in their order.
func (d *EmbedDialect) reply(vectors ...[]float32) EmbedReply {
	r := EmbedReply{Tokens: 3 * len(vectors)}
	for _, v := range vectors {
		r.Items = append(r.Items, EmbedItem{Vector: Numbers(v)})
	}
	return d.numbered(r)
}

// raw is the reply that holds these JSON texts in the place of vectors.
func (d *EmbedDialect) raw(vectors ...string) EmbedReply {
	r := EmbedReply{Tokens: 3 * len(vectors)}
	for _, v := range vectors {
		r.Items = append(r.Items, EmbedItem{Vector: v})
	}
	return d.numbered(r)
}

// numbered gives each item its place.
func (d *EmbedDialect) numbered(r EmbedReply) EmbedReply {
	if d.Indexed {
		for i := range r.Items {
			r.Items[i].Index = strconv.Itoa(i)
		}
	}
	return r
}

// says has a handler answer with a reply.
func (d *EmbedDialect) says(r EmbedReply) http.HandlerFunc {
	var header []string
	if d.Header != nil {
		header = d.Header(r)
	}
	return Answer(http.StatusOK, d.Answer(r), header...)
}

// ReadSent reads a JSON body into out, strictly: for [EmbedDialect.Sent].
func ReadSent(t testing.TB, body []byte, out any) {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(string(body)))
	decoder.DisallowUnknownFields()
	require.NoError(t, decoder.Decode(out), "%s", body)
}
