package backup

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// How long the way back is closed at most, should this program be killed, and how long what is on it may take.
const (
	pauseLongest = 10 * time.Minute
	pauseSettles = 45 * time.Second
)

// way is that of what waits, back to what is due. It is closed while both are taken.
type way struct {
	bus   *bus.Bus
	pause time.Duration // it opens by itself after so long, unless it is closed anew
	stop  func()

	mu    sync.Mutex
	until time.Time // it is closed at least so long
}

// close stops what waits from becoming due, until [way.open], and waits until nothing is on that way.
func (w *way) close(ctx context.Context) error {
	if err := w.hold(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	var renewing sync.WaitGroup
	renewing.Go(func() {
		tick := time.NewTicker(w.pause / 4)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				_ = w.hold(ctx) // there are more tries than one; whether the last was too late is for [way.closed]
			}
		}
	})
	w.stop = func() { cancel(); renewing.Wait() }
	return nil
}

// hold closes it for the time of a pause.
func (w *way) hold(ctx context.Context) error {
	until := time.Now().Add(w.pause)
	stream := w.bus.Subjects().StreamName(events.StreamWaiting)
	if err := w.bus.HoldConsumer(ctx, stream, events.ConsumerRetries, w.pause, pauseSettles); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.until = until
	return nil
}

// closed is nil if the way was closed all the time.
func (w *way) closed() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if open := time.Since(w.until); open > 0 {
		return events.Errorf(events.CodeUnavailable, "retries could not be held back any longer since %s ago, while what waits was taken; run it again",
			open.Round(time.Millisecond))
	}
	return nil
}

// open lets what waits become due again.
func (w *way) open(ctx context.Context) error {
	if w.stop != nil {
		w.stop()
		w.stop = nil
	}
	stream := w.bus.Subjects().StreamName(events.StreamWaiting)
	if err := w.bus.HoldConsumer(ctx, stream, events.ConsumerRetries, 0, 0); err != nil {
		return fmt.Errorf("retries are still held back, for %s at most: %w", w.pause, err)
	}
	return nil
}
