package client

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"hash"
	"io"
	"math"
	"strings"
	"time"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// EmbedDurable turns up to [events.MaxDurableInputs] texts into vectors, and waits for them as long as ctx lets it: for hours, if need
// be. Whatever crashes, nothing is paid for twice that was kept. The id is that of [Client.SubmitEmbed]: whoever asks for the same again
// under the same id, after a deadline or a crash of its own, goes on where it was; whoever asks for something else under it is refused
// with invalid_argument.
//
// Unless the request chooses a form, vectors travel as base64. Read them with [Client.Vectors]: those of a large answer are not in it.
func (c *Client) EmbedDurable(ctx context.Context, id string, req events.EmbeddingsRequest, options ...SubmitOption) (*events.EmbeddingsResponse, error) {
	if req.EncodingFormat == "" {
		req.EncodingFormat = events.EncodingBase64
	}
	d, err := c.DurableEmbed(id, req, options...)
	if err != nil {
		return nil, err
	}
	if err := d.Submit(ctx); err != nil {
		return nil, err
	}
	var resp events.EmbeddingsResponse
	if err := d.Result(ctx, &resp); err != nil {
		return nil, err
	}
	return &resp, nil
}

// Job tells how far a durable embeddings request has come that is worked in parts. An error of code not_found says that nothing is
// known of it: it has not begun, is too small to be divided, or was done long ago.
func (c *Client) Job(ctx context.Context, id string) (*events.EmbeddingsJob, error) {
	req := events.EmbeddingsJobRequest{RequestID: id}
	if err := req.Validate(); err != nil {
		return nil, err
	}
	var job events.EmbeddingsJob
	if err := c.Call(ctx, events.OpEmbedJob, req, &job); err != nil {
		return nil, err
	}
	return &job, nil
}

// Vectors reads the vectors of an answer, wherever they are. It is not safe for concurrent use.
func (c *Client) Vectors(resp *events.EmbeddingsResponse) *VectorsReader {
	return &VectorsReader{client: c, resp: resp, digest: sha256.New()}
}

// VectorsReader reads vectors in the order of the texts. Make one with [Client.Vectors].
type VectorsReader struct {
	client *Client
	resp   *events.EmbeddingsResponse
	index  int    // of the next vector
	offset int64  // of what is to be asked for next
	rows   []byte // that have come and are not read
	digest hash.Hash
	failed error // why there is no more
}

// Next returns the vector of the next text: nil if that has an error instead. After the last it returns [io.EOF]. What came over the bus
// is checked against the digest that the answer names before the end is told. Errors are those of [Client.Call]; one of code not_found
// says that the vectors are not kept any longer. After unavailable and deadline_exceeded, Next may be called again.
func (r *VectorsReader) Next(ctx context.Context) ([]float32, error) {
	if r.failed != nil {
		return nil, r.failed
	}
	object := r.resp.Vectors
	if object == nil {
		if r.index >= len(r.resp.Data) {
			return nil, io.EOF
		}
		item := r.resp.Data[r.index]
		r.index++
		if item.Error != nil {
			return nil, nil //nolint:nilnil // documented
		}
		return item.Embedding.Values, nil
	}
	if r.index >= object.Count {
		return nil, r.end()
	}
	if err := r.fill(ctx, 4*object.Dimensions); err != nil {
		return nil, err
	}
	vector, some := make([]float32, object.Dimensions), false
	for i := range vector {
		bits := binary.LittleEndian.Uint32(r.rows[4*i:])
		vector[i] = math.Float32frombits(bits)
		some = some || bits != 0
	}
	r.rows = r.rows[4*object.Dimensions:]
	r.index++
	if !some { // no model makes a vector of zeros: it stands for an error
		return nil, nil //nolint:nilnil // documented
	}
	return vector, nil
}

// fill asks for pieces until so many bytes are here.
func (r *VectorsReader) fill(ctx context.Context, want int) error {
	object := r.resp.Vectors
	if want <= 0 || object.Size != int64(want)*int64(object.Count) {
		return r.fail(events.Errorf(events.CodeInternal, "%d vectors of %d dimensions cannot have %d bytes", object.Count, object.Dimensions, object.Size))
	}
	for len(r.rows) < want {
		var piece events.VectorsPiece
		if err := r.ask(ctx, &piece); err != nil {
			return err
		}
		if piece.Offset != r.offset || len(piece.Data) == 0 || int64(len(piece.Data)) > object.Size-r.offset {
			return r.fail(events.Errorf(events.CodeInternal, "%d bytes of the vectors came for offset %d, where %d were asked for",
				len(piece.Data), piece.Offset, r.offset))
		}
		r.digest.Write(piece.Data)
		r.offset += int64(len(piece.Data))
		r.rows = append(r.rows, piece.Data...)
	}
	return nil
}

// ask asks for the next piece, a few times if need be: a service may just be restarting.
func (r *VectorsReader) ask(ctx context.Context, piece *events.VectorsPiece) error {
	const tries = 5
	wait := rereadWait
	for try := 1; ; try++ {
		*piece = events.VectorsPiece{}
		err := r.client.Call(ctx, events.OpEmbedVectors, events.VectorsRequest{Name: r.resp.Vectors.Name, Offset: r.offset}, piece)
		if err == nil || try == tries || !events.AsError(err).Retryable || ctx.Err() != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(max(wait, events.AsError(err).RetryAfter)):
		}
		wait = min(2*wait, rereadWaitMax)
	}
}

// end checks what came, and ends the reading.
func (r *VectorsReader) end() error {
	object := r.resp.Vectors
	sum := "SHA-256=" + base64.URLEncoding.EncodeToString(r.digest.Sum(nil))
	if strings.HasPrefix(object.Digest, "SHA-256=") && object.Digest != sum {
		return r.fail(events.Errorf(events.CodeInternal, "the vectors have the digest %s; the answer says %s", sum, object.Digest))
	}
	return r.fail(io.EOF)
}

// fail ends the reading for good.
func (r *VectorsReader) fail(err error) error {
	r.failed = err
	return err
}
