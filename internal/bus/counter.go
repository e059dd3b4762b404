package bus

import (
	"context"
	"strconv"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Increment adds to the counter of a subject, which is in a stream of counters, and returns its new value; by 0 reads it. A counter
// that nobody has added to is 0. With an id, the same increment that is sent again counts once.
//
// It waits as [Bus.Publish] does, and its errors are of the same kinds. When it ends because ctx does, it may count all the same.
func (b *Bus) Increment(ctx context.Context, subject, id string, by int64) (int64, error) {
	sign := ""
	if by >= 0 {
		sign = "+"
	}
	m := Msg{Subject: subject, ID: id, Header: map[string][]string{events.HeaderIncrement: {sign + strconv.FormatInt(by, 10)}}, GiveHeader: true}
	began := b.clock()
	ack, err := b.publishUnseen(ctx, m)
	if b.tracing {
		b.stores(ctx, began, "increment", b.templates.of(subject).name, err)
	}
	if err != nil {
		return 0, err
	}
	if ack.Duplicate { // that one was told the value, and its answer was lost
		return b.Increment(ctx, subject, "", 0)
	}
	value, err := strconv.ParseInt(ack.value, 10, 64)
	if err != nil {
		return 0, events.Errorf(events.CodeFailedPrecondition, "%s is no counter, or beyond what can be counted: the stream %s must allow counters, run `mlsdmctl provision`: %w",
			subject, ack.Stream, err)
	}
	return value, nil
}
