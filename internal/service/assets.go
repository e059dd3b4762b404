package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"
)

const (
	// pollEvery is how often a service looks for what it waits for.
	pollEvery = time.Second
	// freshFor is how long an answer of the bus is good for probes: they come often, and each question costs the server
	// a request for every stream, consumer and bucket.
	freshFor = 10 * time.Second
)

// finder finds what a service needs on the bus and what is not there.
type finder interface {
	Missing(ctx context.Context, service string) ([]string, error)
}

// assets are the streams, consumers and buckets that a service needs.
type assets struct {
	bus     finder
	service string

	mu    sync.Mutex
	asked time.Time // zero before the first answer
	err   error     // the last answer
}

func newAssets(bus finder, service string) *assets {
	return &assets{bus: bus, service: service, err: errors.New("not looked for yet")}
}

// look asks the bus and keeps the answer.
func (a *assets) look(ctx context.Context) error {
	missing, err := a.bus.Missing(ctx, a.service)
	switch {
	case err != nil:
		err = fmt.Errorf("look for streams: %w", err)
	case len(missing) > 0:
		err = fmt.Errorf("missing: %s; make them with: mlsdmctl provision", strings.Join(missing, ", "))
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asked, a.err = time.Now(), err
	return err
}

// check is the health check: the last answer, or a new one if that is too old.
func (a *assets) check(ctx context.Context) error {
	a.mu.Lock()
	asked, err := a.asked, a.err
	a.mu.Unlock()
	if asked.IsZero() || time.Since(asked) < freshFor {
		return err
	}
	return a.look(ctx)
}

// wait returns when everything is there; an error is that of ctx. It says what it waits for when that changes, and not
// more often.
func (a *assets) wait(ctx context.Context, log *slog.Logger) error {
	ticker := time.NewTicker(pollEvery)
	defer ticker.Stop()
	said := ""
	for {
		err := a.look(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		switch {
		case err == nil && said != "":
			log.InfoContext(ctx, "everything that was missing is there")
			return nil
		case err == nil:
			return nil
		case err.Error() != said:
			said = err.Error()
			log.WarnContext(ctx, "waiting until the bus has what this service needs", "err", err)
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
