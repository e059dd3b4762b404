package job

import (
	"context"
	"encoding/json"
	"errors"
	"strings"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Operations are what can be asked about jobs: how far one has come, and a piece of its vectors.
func (j *Jobs) Operations() []bus.Operation {
	return []bus.Operation{
		{Name: events.OpEmbedJob, Handler: j.askJob},
		{Name: events.OpEmbedVectors, Workers: pieceWorkers, Handler: j.askPiece},
	}
}

// pieceWorkers is how many pieces are read at a time, of some MiB each.
const pieceWorkers = 8

// askJob answers how far a request of this caller has come.
func (j *Jobs) askJob(ctx context.Context, r *bus.Request) error {
	var req events.EmbeddingsJobRequest
	if err := events.DecodeJSON(r.Body, &req); err != nil {
		return err
	}
	if err := req.Validate(); err != nil {
		return err
	}
	state, err := j.read(ctx, r.Caller, req.RequestID)
	if errors.Is(err, bus.ErrNotFound) {
		return events.Errorf(events.CodeNotFound,
			"nothing is known of a request %q of this caller that is worked in parts: it has not begun, is small, or was done long ago", req.RequestID)
	}
	if err != nil {
		return err
	}
	return respond(r, state)
}

// askPiece answers with a piece of vectors of this caller.
func (j *Jobs) askPiece(ctx context.Context, r *bus.Request) error {
	var req events.VectorsRequest
	if err := events.DecodeJSON(r.Body, &req); err != nil {
		return err
	}
	if err := req.Validate(); err != nil {
		return err
	}
	object, err := j.own(ctx, r.Caller, req.Name)
	if err != nil {
		return err
	}
	if req.Offset > object.Size {
		return events.Errorf(events.CodeInvalidArgument, "offset is %d; the object has %d bytes", req.Offset, object.Size)
	}
	data, err := j.objects.Piece(ctx, object, req.Offset)
	if errors.Is(err, bus.ErrNotFound) { // it has come of age meanwhile
		return notThere()
	}
	if err != nil {
		return err
	}
	const around = 8 << 10 // what a reply has beside the bytes
	fits := max(j.bus.MaxPayload()-around, around) / 4 * 3
	return respond(r, events.VectorsPiece{Name: req.Name, Offset: req.Offset, Size: object.Size, Data: data[:min(int64(len(data)), fits)]})
}

// own describes an object of a caller. Others' are not there for it.
func (j *Jobs) own(ctx context.Context, caller, name string) (bus.Object, error) {
	const longest = 512
	owner, _, found := strings.Cut(name, ".")
	if !found || owner != caller || len(name) > longest {
		return bus.Object{}, notThere()
	}
	object, err := j.objects.Stat(ctx, name)
	if errors.Is(err, bus.ErrNotFound) || err == nil && object.Metadata[metaCaller] != caller {
		return bus.Object{}, notThere()
	}
	return object, err
}

// notThere does not say whether there is an object that is somebody else's.
func notThere() error {
	return events.Errorf(events.CodeNotFound, "there are no vectors of this name: they are kept as long as the result that names them, and for its caller")
}

// respond answers with JSON.
func respond(r *bus.Request, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return r.Respond(body)
}
