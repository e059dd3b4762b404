// Package attemptlog records delivery attempts on the bus, several to a message, without ever making a delivery wait.
package attemptlog

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

const (
	capacity       = 4096 // records that wait to be published; what comes on top is dropped and counted
	maxBatch       = 64   // records in one message: at most some 150 KiB
	flushInterval  = 100 * time.Millisecond
	publishTimeout = 5 * time.Second
)

// Publisher stores a message; [bus.Bus] is one.
type Publisher interface {
	Publish(ctx context.Context, m bus.Msg) (bus.Ack, error)
}

// Log takes records of attempts and publishes them in batches: the attempts stream holds, on the subject of an endpoint,
// JSON arrays of [events.DeliveryAttempt]. It is best effort: a record that cannot be stored is lost, and counted, and
// the delivery it tells of goes on.
type Log struct {
	publisher Publisher
	subjects  events.Subjects
	log       *slog.Logger
	dropped   func(records int)
	records   chan events.DeliveryAttempt
}

// New returns a Log; Run makes it work. The function dropped is told how many records were lost, each time that some are.
func New(publisher Publisher, subjects events.Subjects, log *slog.Logger, dropped func(records int)) *Log {
	return &Log{
		publisher: publisher, subjects: subjects, log: log, dropped: dropped,
		records: make(chan events.DeliveryAttempt, capacity),
	}
}

// Add takes one record. It never blocks. What is added after Run has returned is lost.
func (l *Log) Add(record events.DeliveryAttempt) {
	select {
	case l.records <- record:
	default:
		l.dropped(1)
	}
}

// Run publishes what was added, until stop is closed and all of it is published or ctx has ended. After the stop it takes
// no longer than one publish may: what is left then is lost, because a shutdown does not wait for records.
func (l *Log) Run(ctx context.Context, stop <-chan struct{}) {
	batches := make(map[string][]events.DeliveryAttempt)
	flushAll := func() {
		for id := range batches {
			l.flush(ctx, id, batches[id])
			delete(batches, id)
		}
	}
	add := func(record events.DeliveryAttempt) {
		id := record.EndpointID
		if batches[id] = append(batches[id], record); len(batches[id]) >= maxBatch {
			l.flush(ctx, id, batches[id])
			delete(batches, id)
		}
	}
	ticker := time.NewTicker(flushInterval)
	defer ticker.Stop()
	for {
		select {
		case record := <-l.records:
			add(record)
		case <-ticker.C:
			flushAll()
		case <-stop:
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, publishTimeout)
			defer cancel()
			for len(l.records) > 0 { // nobody adds any more
				add(<-l.records)
			}
			flushAll()
			return
		}
	}
}

// flush publishes one batch, or gives it up.
func (l *Log) flush(ctx context.Context, endpointID string, batch []events.DeliveryAttempt) {
	ctx, cancel := context.WithTimeout(ctx, publishTimeout)
	defer cancel()
	if err := l.publish(ctx, endpointID, batch); err != nil {
		l.dropped(len(batch))
		l.log.WarnContext(ctx, "records of delivery attempts are lost", "endpoint", endpointID, "records", len(batch), "err", err)
	}
}

func (l *Log) publish(ctx context.Context, endpointID string, batch []events.DeliveryAttempt) error {
	body, err := json.Marshal(batch)
	if err != nil {
		return fmt.Errorf("writing attempts as JSON: %w", err)
	}
	_, err = l.publisher.Publish(ctx, bus.Msg{
		Subject: l.subjects.Attempts(endpointID),
		Header:  map[string][]string{events.HeaderContentType: {events.ContentTypeJSON}},
		Body:    body,
	})
	return err
}
