package bus

import (
	"context"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"
)

// backlogEvery is how often the server is asked what waits for a consumer.
const backlogEvery = 15 * time.Second

// backlogMetrics are what the server tells of consumers.
type backlogMetrics struct{ pending, oldest, unacked, redelivered, waiting *prometheus.GaugeVec }

func newBacklogMetrics(labels []string) backlogMetrics {
	gauge := func(name, help string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "mlsdm_bus_consumer_" + name, Help: help}, labels)
	}
	return backlogMetrics{
		pending:     gauge("pending", "Messages that wait in the stream and were not handed out yet (num_pending)."),
		oldest:      gauge("oldest_seconds", "How long the oldest of them has waited, to within 15 seconds; 0 when none does."),
		unacked:     gauge("ack_pending", "Messages that were handed out and are not settled: at work, or put off (num_ack_pending)."),
		redelivered: gauge("redelivered", "Messages of these that were handed out more than once (num_redelivered)."),
		waiting:     gauge("waiting", "Pull requests that wait at the server (num_waiting)."),
	}
}

// collectors are all of them, to be registered.
func (m backlogMetrics) collectors() []prometheus.Collector {
	return []prometheus.Collector{m.pending, m.oldest, m.unacked, m.redelivered, m.waiting}
}

// watchBacklog publishes the consumer's backlog as metrics, so that a stalled consumer can be seen.
func (w *worker) watchBacklog(ctx context.Context, consumer jetstream.Consumer) {
	tick := time.NewTicker(backlogEvery)
	defer tick.Stop()
	var since backlog
	for {
		if err := w.showBacklog(ctx, consumer, &since); err != nil { // the gauges keep their last value; the pull loop reports what is wrong
			w.bus.log.DebugContext(ctx, "the consumer's state is not known", "consumer", w.cfg.Durable, "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// showBacklog asks the server, and sets the gauges.
func (w *worker) showBacklog(ctx context.Context, consumer jetstream.Consumer, since *backlog) error {
	ctx, cancel := context.WithTimeout(ctx, apiTimeout)
	defer cancel()
	stream, err := w.bus.js.Stream(ctx, w.cfg.Stream) // first: what comes in between is not taken for older than it is
	if err != nil {
		return err
	}
	now := time.Now()
	info, err := consumer.Info(ctx)
	if err != nil {
		return err
	}
	m, labels := w.bus.metrics.backlog, []string{w.cfg.Stream, w.cfg.Durable}
	m.pending.WithLabelValues(labels...).Set(float64(info.NumPending))
	m.oldest.WithLabelValues(labels...).Set(since.age(info.NumPending, info.Delivered.Stream, stream.CachedInfo().State.LastSeq, now).Seconds())
	m.unacked.WithLabelValues(labels...).Set(float64(info.NumAckPending))
	m.redelivered.WithLabelValues(labels...).Set(float64(info.NumRedelivered))
	m.waiting.WithLabelValues(labels...).Set(float64(info.NumWaiting))
	return nil
}

// backlog finds out how long the oldest message has waited that a consumer has not handed out, from counts alone: a service may not
// read the messages of every stream that it consumes.
type backlog struct{ looks []look } // oldest first

// look is how far a stream had got at a time.
type look struct {
	at   time.Time
	last uint64
}

// maxLooks bounds what is remembered: half a day of a consumer that falls behind.
const maxLooks = 2880

// age returns how long the oldest message has waited, given how many wait, and the sequences of the last that was handed out and the
// last that is there. It came after the last look whose messages have all been handed out, and before the one after that.
func (b *backlog) age(pending, delivered, last uint64, now time.Time) time.Duration {
	if pending == 0 {
		b.looks = b.looks[:0]
		return 0
	}
	for len(b.looks) > 0 && b.looks[0].last <= delivered {
		b.looks = b.looks[1:]
	}
	if n := len(b.looks); n == 0 || last > b.looks[n-1].last && n < maxLooks {
		b.looks = append(b.looks, look{now, last})
	}
	return now.Sub(b.looks[0].at)
}
