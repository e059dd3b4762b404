package stack

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"path/filepath"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/control"
	"github.com/neuron7x/mlsdm-integrations/internal/emergency"
	"github.com/neuron7x/mlsdm-integrations/internal/memory"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// processName is what the process as a whole is called in events.
const processName = "up"

// spoolDir is where events wait that the stream has not taken.
func spoolDir(dir string) string { return filepath.Join(dir, "spool") }

// withSpool adds the spool of a stack to the defaults of a service.
func withSpool(defaults map[string]string, dir string) map[string]string {
	with := map[string]string{"spool-dir": spoolDir(dir)}
	maps.Copy(with, defaults)
	return with
}

// level returns what a service logs.
func (s *Stack) level(name string) *slog.LevelVar {
	if s.options.LevelFor == nil {
		return nil
	}
	return s.options.LevelFor(name)
}

// others returns the services beside one.
func (s *Stack) others(name string) (others []string) {
	for _, u := range s.options.Units {
		if u.Name != name {
			others = append(others, u.Name)
		}
	}
	return others
}

// line returns the way out of the process in the name of a service: all services go down together.
func (s *Stack) line(b *bus.Bus, name string, log *slog.Logger) *emergency.Line {
	return emergency.New(emergency.Options{
		Service: name, Instance: s.instance, Spool: emergency.NewSpool(spoolDir(s.options.DataDir)), Log: log, End: s.fail,
		Publish: func(ctx context.Context, ev events.Event) error {
			_, err := b.PublishEvent(ctx, ev)
			return err
		},
	})
}

// watchMemory watches the memory of the process, until the stack is told to stop.
func (s *Stack) watchMemory(ctx context.Context) error {
	if s.options.Memory == (memory.Config{}) {
		return nil
	}
	b, err := bus.Connect(ctx, bus.Config{}, "mlsdm-"+processName, bus.Options{Logger: s.logger, InProcess: s.server})
	if err != nil {
		return err
	}
	line := s.line(b, processName, s.logger)
	watch := control.Memory{
		Config: s.options.Memory, Parts: &s.parts, Line: line, Log: s.logger,
		Metrics: prometheus.WrapRegistererWith(prometheus.Labels{"service": processName}, s.process),
	}
	s.watched = make(chan struct{})
	go func() {
		defer close(s.watched)
		replayed := make(chan struct{})
		go func() {
			defer close(replayed)
			line.Replay(s.intake)
		}()
		err := watch.Run(s.intake)
		<-s.intake.Done()
		<-replayed
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), abortTimeout)
		defer cancel()
		if err := errors.Join(err, b.Close(closing)); err != nil {
			s.logger.ErrorContext(ctx, "memory is not watched", "err", err)
		}
	}()
	return nil
}
