package job

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// What an object says about itself, beside what any object does.
const (
	metaCaller     = "mlsdm-caller"
	metaRequest    = "mlsdm-request"
	metaDimensions = "mlsdm-dimensions"
)

// graceful is how much longer an object is kept than the answer that names it: who reads the answer in its last moment still gets the
// vectors.
const graceful = 15 * time.Minute

// answer makes the answer of parts that are all there.
func (r *run) answer(ctx context.Context, pieces []piece) ([]byte, error) {
	g := &gatherer{ctx: ctx, run: r, pieces: pieces}
	for r.dimensions() == 0 { // until one tells how long the vectors are
		err := g.next()
		if err == io.EOF { //nolint:errorlint // our own
			return nil, r.hopeless(g)
		}
		if err != nil {
			return nil, err
		}
	}
	total, dimensions := len(r.req.Texts), r.dimensions()
	const each = 64 // bytes of JSON around a vector
	if total*(base64.StdEncoding.EncodedLen(4*dimensions)+each) > min(r.jobs.opts.Inline, r.req.Call.Limit) {
		return r.large(ctx, g, g)
	}
	rows, err := io.ReadAll(g)
	if err != nil {
		return nil, err
	}
	if g.failed == total {
		return nil, r.hopeless(g)
	}
	body, err := r.small(g, rows)
	if err == nil && len(body) > r.req.Call.Limit {
		return r.large(ctx, g, bytes.NewReader(rows))
	}
	return body, err
}

// hopeless is the error of a request none of whose texts has a vector.
func (r *run) hopeless(g *gatherer) error {
	r.count(g)
	e := g.first
	if e == nil {
		return events.Errorf(events.CodeInternal, "no text has a vector, and none has an error")
	}
	return &events.Error{Code: e.Code, Message: "no text could be embedded; the first: " + e.Message, Provider: e.Provider}
}

// count fills in what is known when all parts have been read.
func (r *run) count(g *gatherer) {
	r.req.Call.Report.PromptTokens, r.req.Call.Report.TotalTokens = g.tokens, g.tokens
	r.progress.total(g.failed, g.tokens)
}

// response is what an answer says beside the vectors.
func (r *run) response(g *gatherer) events.EmbeddingsResponse {
	r.count(g)
	r.mu.Lock()
	space := r.space
	r.mu.Unlock()
	return events.EmbeddingsResponse{
		Object: "list", Model: cmp.Or(g.model, r.req.Model), Space: &space, Failed: g.failed,
		Usage: events.EmbeddingsUsage{PromptTokens: g.tokens, TotalTokens: g.tokens},
	}
}

// small is an answer that has the vectors in it.
func (r *run) small(g *gatherer, rows []byte) ([]byte, error) {
	res, dimensions := r.response(g), r.dimensions()
	res.Data = make([]events.Embedding, len(r.req.Texts))
	packed := r.req.Encoding == events.EncodingBase64
	for i := range res.Data {
		values := make([]float32, dimensions)
		for n := range values {
			values[n] = math.Float32frombits(binary.LittleEndian.Uint32(rows[4*(i*dimensions+n):]))
		}
		res.Data[i] = events.Embedding{Object: "embedding", Index: i, Embedding: events.Vector{Values: values, Base64: packed}}
	}
	for _, item := range g.items {
		if item.Error != nil {
			item.Embedding = events.Vector{Base64: packed}
		} else {
			item.Embedding = res.Data[item.Index].Embedding
		}
		res.Data[item.Index] = item
	}
	return json.Marshal(res)
}

// large is an answer whose vectors are an object.
func (r *run) large(ctx context.Context, g *gatherer, rows io.Reader) ([]byte, error) {
	call, total, dimensions := r.req.Call, len(r.req.Texts), r.dimensions()
	name := call.Caller + "." + call.ID + "." + rand.Text() // which are 128 bits or more, in base32
	object, err := r.jobs.objects.Put(ctx, name, map[string]string{
		metaCaller: call.Caller, metaRequest: call.ID, metaDimensions: strconv.Itoa(dimensions),
	}, min(call.Keep+graceful, events.MaxResultTTL), rows)
	if err != nil {
		return nil, err
	}
	if want := 4 * int64(total) * int64(dimensions); object.Size != want || g.failed == total {
		if err := r.jobs.objects.Delete(ctx, name); err != nil {
			return nil, err
		}
		if g.failed == total {
			return nil, r.hopeless(g)
		}
		return nil, events.Errorf(events.CodeInternal, "the vectors of %d texts have %d bytes and should have %d", total, object.Size, want)
	}
	res := r.response(g)
	res.Vectors = &events.VectorsObject{Name: name, Count: total, Dimensions: dimensions, Size: object.Size, Digest: object.Digest}
	body, err := r.told(res, g.items)
	if err != nil {
		return nil, fmt.Errorf("the answer: %w", err)
	}
	return body, nil
}

// told writes an answer with as many of the items as one message holds: what failed comes before what was cut.
func (r *run) told(res events.EmbeddingsResponse, items []events.Embedding) ([]byte, error) {
	slices.SortStableFunc(items, func(a, b events.Embedding) int { return cmp.Compare(weight(a), weight(b)) })
	for {
		res.Data = slices.Clone(items)
		slices.SortFunc(res.Data, func(a, b events.Embedding) int { return cmp.Compare(a.Index, b.Index) })
		if res.Data == nil {
			res.Data = []events.Embedding{}
		}
		body, err := json.Marshal(res)
		if err != nil || len(body) <= r.req.Call.Limit || len(items) == 0 {
			return body, err
		}
		items = items[:len(items)/2]
	}
}

// weight is how far behind an item stands when not all can be told.
func weight(e events.Embedding) int {
	if e.Error != nil {
		return 0
	}
	return 1
}
