package bus

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// KVEntry is a key as it is, or the news that it is gone.
type KVEntry struct {
	Key   string
	Value []byte // nil when Deleted
	// Revision is that of the value or of its deletion. It is higher than the one that was told before, unless the bucket
	// itself has gone back in time.
	Revision uint64
	// Stored is when the server stored it; the zero time for a deletion that left no message.
	Stored  time.Time
	Deleted bool
}

// Watch calls changed with the value of every key that matches pattern (">" is all), in the order in which they were written;
// then ready, once; then changed with every change as it happens, a deletion being one, until ctx ends, when it returns nil.
// The calls are made one after the other, and while one takes long nothing is lost.
//
// It outlives lost connections, and servers that restart or are slow to: as soon as one is there again, changed is called
// for every key that has another value than was told before, or none. Of several changes in between only the last is told.
// It returns an error only for a pattern that cannot be one, and when the connection is closed for good.
func (k *KV) Watch(ctx context.Context, pattern string, ready func(), changed func(KVEntry)) error {
	if err := checkPattern(pattern); err != nil {
		return err
	}
	w := &watch{kv: k, pattern: pattern, ready: ready, changed: changed, known: make(map[string]told)}
	for said := false; ; {
		err := w.follow(ctx)
		var closed *events.Error
		switch {
		case ctx.Err() != nil:
			return nil //nolint:nilerr // documented
		case errors.As(err, &closed):
			return err
		case errors.Is(err, errFeedBroken):
			said = false
			continue
		case !said:
			said = true
			k.bus.log.WarnContext(ctx, "a KV bucket cannot be watched; trying until it can", "bucket", k.bucket, "err", err)
		}
		if err := k.bus.pauseFor(ctx, feedRetry); err != nil {
			if ctx.Err() != nil {
				return nil //nolint:nilerr // documented
			}
			return err
		}
	}
}

// checkPattern checks that pattern can select keys.
func checkPattern(pattern string) error {
	tokens := strings.Split(pattern, ".")
	for i, token := range tokens {
		if token == "" || strings.ContainsAny(token, " \t\r\n") || token == ">" && i < len(tokens)-1 {
			return events.Errorf(events.CodeInvalidArgument, "%q is no pattern of keys: it is made of tokens joined by dots, where * is any one and a last > all that follow", pattern)
		}
	}
	return nil
}

// watch is one call of [KV.Watch].
type watch struct {
	kv      *KV
	pattern string
	ready   func()
	changed func(KVEntry)
	known   map[string]told // by key; deletions too, as long as the bucket remembers them
	round   int             // counts the times that everything is read
	isReady bool            // ready has been called
}

// told is what was last told of a key.
type told struct {
	revision uint64
	nanos    uint64 // a bucket that was made again may give the same revision to something else
	deleted  bool
	round    int // when the bucket last had it
}

// follow reads the last value of every key, and then what is written, until the feed breaks.
func (w *watch) follow(ctx context.Context) error {
	prefix := "$KV." + w.kv.bucket + "."
	f, err := w.kv.bus.openFeed(ctx, "KV_"+w.kv.bucket, jetstream.ConsumerConfig{
		FilterSubject: prefix + w.pattern, DeliverPolicy: jetstream.DeliverLastPerSubjectPolicy,
	})
	if err != nil {
		return err
	}
	defer f.close(ctx)
	w.round++
	all := f.pending == 0
	if all {
		if err := w.complete(ctx); err != nil {
			return err
		}
	}
	for {
		msg, at, err := f.next(ctx)
		switch {
		case errors.Is(err, errFeedIdle):
			if all || !f.exhausted(ctx) {
				continue
			}
			// Some of what was there has been overwritten meanwhile.
			all = true
			if err := w.complete(ctx); err != nil {
				return err
			}
			continue
		case err != nil:
			return err
		}
		e := KVEntry{
			Key: strings.TrimPrefix(msg.Subject, prefix), Revision: at.sequence, Deleted: isDelete(msg.Header),
			Stored: time.Unix(0, int64(at.nanos)), //nolint:gosec // the server's clock
		}
		if !e.Deleted {
			e.Value = msg.Data
		}
		w.tell(e, at.nanos)
		if !all && (at.pending == 0 || f.read >= f.pending) {
			all = true
			if err := w.complete(ctx); err != nil {
				return err
			}
		}
	}
}

// tell calls changed, unless nothing has changed. A key that was deleted before anybody asked is no news.
func (w *watch) tell(e KVEntry, nanos uint64) {
	before, known := w.known[e.Key]
	w.known[e.Key] = told{revision: e.Revision, nanos: nanos, deleted: e.Deleted, round: w.round}
	switch {
	case known && before.revision == e.Revision && before.nanos == nanos:
		return
	case !known && e.Deleted && !w.isReady:
		return
	case known && before.revision >= e.Revision && !before.deleted:
		// The bucket has gone back in time, so that what is there now looks older than what was told.
		w.changed(KVEntry{Key: e.Key, Revision: before.revision + 1, Deleted: true})
	}
	w.changed(e)
}

// complete ends a round: what the bucket has not shown in it is gone without a trace.
func (w *watch) complete(ctx context.Context) error {
	for key, t := range w.known {
		if t.round == w.round {
			continue
		}
		// Too important to be inferred from a count.
		if _, _, err := w.kv.Get(ctx, key); !errors.Is(err, ErrNotFound) {
			if err != nil {
				return err
			}
			continue // it is still to come
		}
		delete(w.known, key)
		if !t.deleted {
			w.changed(KVEntry{Key: key, Revision: t.revision + 1, Deleted: true})
		}
	}
	if !w.isReady {
		w.isReady = true
		w.ready()
	}
	return nil
}

// isDelete reports that a message in the stream of a KV bucket stands for the absence of a value.
func isDelete(header map[string][]string) bool {
	if op := header["KV-Operation"]; len(op) > 0 {
		return op[0] == "DEL" || op[0] == "PURGE"
	}
	return len(header["Nats-Marker-Reason"]) > 0 // written by the server when a value's time is over
}
