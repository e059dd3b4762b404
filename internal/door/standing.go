package door

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// sequence is the name of a request that has no other.
func (r *request) sequence() string { return strconv.FormatUint(r.Sequence, 10) }

// origin tells one stored request from all others: a stream that is made anew counts from 1 again.
func (r *request) origin() string { return fmt.Sprintf("%d-%d", r.Sequence, r.Time.UnixNano()) }

// refuse has the request answered with what is wrong about its name, under the name that it gets instead.
func (r *request) refuse(what string) {
	r.id, r.named = r.sequence(), false
	r.wrong = events.Errorf(events.CodeInvalidArgument, "%s; the answer therefore stands under the stream sequence %s", what, r.id)
}

// standing looks whether a request has its answer already, so that nobody works, or pays, for it twice. Settled means that
// nothing is left to be done. A request that was handed out for the first time and has no name cannot have one, and costs no
// look.
//
// An attempt may have stored the result and not have lived to ack the request. Or the request was published again, under its
// name, while its result is kept: it gets the same result, with a life of its own, for those who listen for it. A failure that
// may pass does not stand in the way. What asks for something else under a name that is taken is refused, under another name,
// so that it does not replace the first answer.
func (d *Doors) standing(ctx context.Context, r *request) (settled bool, err error) {
	if !r.named && r.Attempt == 1 {
		return false, nil
	}
	s := d.bus.Subjects()
	stored, err := d.bus.LastOn(ctx, s.StreamName(events.StreamResults), s.Result(r.call.Caller, r.id))
	if errors.Is(err, bus.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("whether request %s has a result is not known: %w", r.id, err)
	}
	failure := events.DecodeError(stored.Header, stored.Body)
	hash := events.HeaderValue(stored.Header, events.HeaderRequestHash)
	switch {
	case events.HeaderValue(stored.Header, events.HeaderRequestOrigin) == r.origin():
		d.settled(ctx, r, orNil(failure))
		return true, d.endChunks(ctx, r, stored.Body, orNil(failure), false)
	case !r.named, hash == "", failure != nil && failure.Retryable:
		return false, nil
	case hash != r.call.Hash():
		r.refuse(fmt.Sprintf("the request id %q is that of another request, whose result is still kept: choose an id that is used once", r.id))
		return false, nil
	}
	header := make(map[string][]string)
	for _, name := range []string{events.HeaderContentType, events.HeaderErrorCode, events.HeaderError, events.HeaderUsage} {
		if value := events.HeaderValue(stored.Header, name); value != "" {
			header[name] = []string{value}
		}
	}
	if err := d.store(ctx, r, header, stored.Body); err != nil {
		return false, err
	}
	r.call.Report.Model = askedModel(r.Body) // and no tokens: none were used
	d.finish(ctx, r.id, events.DoorDurable, r.call, r.Time, orNil(failure))
	return true, d.endChunks(ctx, r, stored.Body, orNil(failure), true)
}

// orNil makes an error of what may be a nil pointer.
func orNil(failure *events.Error) error {
	if failure == nil {
		return nil
	}
	return failure
}
