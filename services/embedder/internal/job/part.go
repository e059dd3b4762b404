package job

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"math"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// part is the vectors of a row of texts, as it is stored: in little-endian numbers, a byte for the version; the request's identity; the
// first text, the number of texts, the length of the vectors, and that of the notes, of 4 bytes each; the vectors in float32, zeros
// for those that failed; the notes in JSON; and the CRC-32C of all that.
type part struct {
	identity identity
	first    int
	count    int
	rows     []byte // count times Dimensions times 4 bytes; none when there is no vector among them
	notes
}

// notes are what there is to say about a part beside its vectors.
type notes struct {
	Model  string                `json:"model,omitempty"`
	Space  events.EmbeddingSpace `json:"space"`
	Tokens int                   `json:"tokens"`
	Items  []note                `json:"items,omitempty"`
}

// note is what there is to say about a text beside its vector.
type note struct {
	Index     int                `json:"i"` // in the part
	Truncated *events.Truncation `json:"t,omitempty"`
	Error     *events.ErrorBody  `json:"e,omitempty"`
}

// Sizes of a part's ends.
const (
	partVersion = 1
	partHead    = 1 + len(identity{}) + 4*4
	partTail    = 4
)

// castagnoli is the table of the checksum.
func castagnoli() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) }

// newPart makes a part of what became of texts.
func newPart(id identity, first int, model string, space events.EmbeddingSpace, items []Item) *part {
	p := &part{identity: id, first: first, count: len(items), notes: notes{Model: model, Space: space}}
	some := false
	for i, item := range items {
		p.Tokens += item.Tokens
		some = some || item.Err == nil
		if item.Err != nil || item.Truncated != nil {
			p.Items = append(p.Items, note{Index: i, Truncated: item.Truncated, Error: errorBody(item.Err)})
		}
	}
	if !some {
		p.Space = events.EmbeddingSpace{}
		return p
	}
	p.rows = make([]byte, 4*len(items)*space.Dimensions)
	for i, item := range items {
		row := p.rows[4*i*space.Dimensions:]
		for n, f := range item.Vector {
			binary.LittleEndian.PutUint32(row[4*n:], math.Float32bits(f))
		}
	}
	return p
}

// errorBody is an error as it stands in an answer, with a message of bounded length.
func errorBody(err error) *events.ErrorBody {
	if err == nil {
		return nil
	}
	e := events.AsError(err)
	const longest = 300
	message := []rune(e.Message)
	if len(message) > longest {
		message = append(message[:longest], '…')
	}
	return &events.ErrorBody{Code: e.Code, Message: string(message), Retryable: e.Retryable, Provider: e.Provider}
}

// encode writes a part.
func (p *part) encode() ([]byte, error) {
	said, err := json.Marshal(p.notes)
	if err != nil {
		return nil, err
	}
	body := make([]byte, 0, partHead+len(p.rows)+len(said)+partTail)
	body = append(body, partVersion)
	body = append(body, p.identity[:]...)
	for _, n := range []int{p.first, p.count, p.Space.Dimensions, len(said)} {
		body = binary.LittleEndian.AppendUint32(body, uint32(n)) //nolint:gosec // at most what a message takes
	}
	body = append(append(body, p.rows...), said...)
	return binary.LittleEndian.AppendUint32(body, crc32.Checksum(body, castagnoli())), nil
}

// decode reads a part, and checks that it is whole.
func decode(body []byte) (*part, error) {
	if len(body) < partHead+partTail || body[0] != partVersion {
		return nil, fmt.Errorf("%d bytes that are no part", len(body))
	}
	end := len(body) - partTail
	if sum := crc32.Checksum(body[:end], castagnoli()); sum != binary.LittleEndian.Uint32(body[end:]) {
		return nil, fmt.Errorf("a part whose checksum is %08x", sum)
	}
	p := &part{}
	copy(p.identity[:], body[1:])
	number := func(i int) int { return int(binary.LittleEndian.Uint32(body[1+len(p.identity)+4*i:])) }
	p.first, p.count = number(0), number(1)
	dimensions, said := number(2), number(3)
	p.rows = body[partHead:end]
	if said > len(p.rows) || len(p.rows)-said != 4*p.count*dimensions {
		return nil, fmt.Errorf("a part of %d bytes that says to have %d vectors of %d", len(body), p.count, dimensions)
	}
	if err := json.Unmarshal(p.rows[len(p.rows)-said:], &p.notes); err != nil {
		return nil, fmt.Errorf("the notes of a part: %w", err)
	}
	p.rows = p.rows[:len(p.rows)-said]
	if p.Space.Dimensions != dimensions {
		return nil, fmt.Errorf("a part of %d dimensions whose notes say %d", dimensions, p.Space.Dimensions)
	}
	return p, nil
}
