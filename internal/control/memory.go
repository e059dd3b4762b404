package control

import (
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/neuron7x/mlsdm-integrations/internal/emergency"
	"github.com/neuron7x/mlsdm-integrations/internal/memory"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// How an event that the stream does not take is tried again.
const (
	publishTries   = 5
	publishTimeout = 10 * time.Second
	publishPause   = 2 * time.Second
	maxWaiting     = 16 // events that wait for the stream
	lastWords      = 3 * time.Second
)

// Memory is what the watch of a process's memory needs; all fields are required.
type Memory struct {
	Config  memory.Config
	Parts   *memory.Parts
	Line    *emergency.Line // whose names and bus it has
	Metrics prometheus.Registerer
	Log     *slog.Logger
}

// Run watches the memory until ctx ends: it publishes memory.threshold_exceeded, and when memory cannot be freed it takes the line.
func (m Memory) Run(ctx context.Context) error {
	waiting := make(chan events.MemoryThresholdExceeded, maxWaiting)
	w, err := memory.New(memory.Options{
		Config: m.Config, Service: m.Line.Service, Instance: m.Line.Instance, Parts: m.Parts, Log: m.Log,
		Exceeded: func(e events.MemoryThresholdExceeded) {
			select {
			case waiting <- e:
			default:
				m.Log.WarnContext(ctx, "an event about memory is dropped: the stream takes none")
			}
		},
		Emergency: func(ctx context.Context, why events.SystemEmergencyShutdown) {
			if _, err := m.Line.Announce(ctx, why); err != nil {
				m.Log.ErrorContext(ctx, "the event cannot be made", "err", err)
			}
		},
	})
	if err != nil {
		return err
	}
	if err := w.Register(m.Metrics); err != nil {
		return err
	}
	publishing, stop := context.WithCancel(ctx)
	defer stop()
	told := make(chan struct{})
	go func() {
		defer close(told)
		m.tell(publishing, waiting)
	}()
	err = w.Run(ctx)
	close(waiting)
	if ctx.Err() == nil { // it is over by itself: what waits is still told, but not for ever
		select {
		case <-told:
		case <-ctx.Done():
		case <-time.After(lastWords):
		}
	}
	m.Line.End() // unless it has nothing to say
	return err
}

// tell publishes what waits, in its order.
func (m Memory) tell(ctx context.Context, waiting <-chan events.MemoryThresholdExceeded) {
	for e := range waiting {
		ev, err := events.New(emergency.Source(m.Line.Service), e)
		if err != nil {
			m.Log.ErrorContext(ctx, "an event about memory cannot be made", "err", err)
			continue
		}
		ev.Subject = m.Line.Service
		for try := range publishTries {
			bounded, cancel := context.WithTimeout(ctx, publishTimeout)
			err = m.Line.Publish(bounded, ev)
			cancel()
			if err == nil || ctx.Err() != nil {
				break
			}
			if try == publishTries-1 {
				m.Log.WarnContext(ctx, "an event about memory could not be published", "err", err)
				break
			}
			select {
			case <-ctx.Done():
			case <-time.After(publishPause):
			}
		}
	}
}
