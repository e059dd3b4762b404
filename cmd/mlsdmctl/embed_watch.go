package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/neuron7x/mlsdm-integrations/pkg/client"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// How a durable request is watched.
const (
	lookEvery   = time.Second
	lookTimeout = 5 * time.Second
	silentFor   = 30 * time.Second // without news, and that is said
)

// watch waits for the result of a durable request, and shows how far it is.
type watch struct {
	*display

	client   *client.Client
	id       string
	stored   bool          // it is known to be there
	patience time.Duration // for a request that is not

	begun time.Time
	first *events.EmbeddingsJob // what was seen first; nil before
	last  events.EmbeddingsJob
	news  time.Time // when there were any
}

// wait waits until there is the result that get gets, or ctx ends. When nothing is heard for too long of a request of which it is not
// known that it is there, the error is of code not_found.
func (w *watch) wait(ctx context.Context, get func(ctx context.Context, resp any) error) (*events.EmbeddingsResponse, error) {
	w.begun = time.Now()
	w.news = w.begun
	getting, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.look(getting, stop)
	}()
	var resp events.EmbeddingsResponse
	err := get(getting, &resp)
	// An error that may pass can be that of an earlier request of this id, as long as this one is worked on.
	for err != nil && getting.Err() == nil && events.AsError(err).Retryable && w.running(getting) {
		pause(getting, lookEvery)
		err = get(getting, &resp)
	}
	cause := context.Cause(getting)
	stop(nil)
	<-done
	w.end()
	switch {
	case err == nil:
		return &resp, nil
	case ctx.Err() == nil && cause != nil:
		return nil, cause
	default:
		return nil, err
	}
}

// running reports whether the request is being worked on.
func (w *watch) running(ctx context.Context) bool {
	job, err := w.job(ctx)
	return err == nil && job.State == events.JobRunning
}

// job asks how far the request is.
func (w *watch) job(ctx context.Context) (*events.EmbeddingsJob, error) {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	return w.client.Job(ctx, w.id)
}

// look looks how far the request is until ctx ends, as long as anybody wants to know. It stops the waiting for what is not there.
func (w *watch) look(ctx context.Context, stop context.CancelCauseFunc) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for !w.stored || w.live && !w.quiet {
		job, err := w.job(ctx)
		now := time.Now()
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			w.stored = true
			w.see(*job, now)
		case !w.stored && now.Sub(w.begun) >= w.patience:
			stop(&hintedError{unheard(w.id), fmt.Sprintf("Nothing was heard of it for %v, either; --timeout sets for how long that is waited for.", w.patience)})
			return
		}
		w.draw(w.line(err, now))
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// unheard is the error of a request of which nothing is known.
func unheard(id string) error {
	return events.Errorf(events.CodeNotFound, "nothing is known of a request %q of this caller: it waits for its turn, was never sent, "+
		"or was done so long ago that its result is not kept any longer", id)
}

// see takes note of how far the request is.
func (w *watch) see(job events.EmbeddingsJob, now time.Time) {
	if w.first == nil {
		w.first = &job
	}
	if job.Done != w.last.Done || job.State != w.last.State {
		w.news = now
	}
	w.last = job
}

// line says how far the request is. failed is why that could not be asked.
func (w *watch) line(failed error, now time.Time) string {
	var line string
	switch silent := now.Sub(w.news).Round(time.Second); {
	case w.first != nil:
		line = bar(int64(w.last.Done), int64(w.last.Total)) + strings.Join(jobParts(w.last, *w.first), " · ")
		if silent >= silentFor {
			line += fmt.Sprintf(" · nothing new for %v", silent)
		}
	case failed != nil && events.CodeOf(failed) == events.CodeUnavailable:
		line = fmt.Sprintf("waiting for an embedder to work on it · %v", now.Sub(w.begun).Round(time.Second))
	default:
		line = fmt.Sprintf("waiting for the result · %v", now.Sub(w.begun).Round(time.Second))
	}
	return line
}

// jobParts says how far a job is, how fast it goes, and how long it takes still, by what was seen since it was looked at first.
func jobParts(job, first events.EmbeddingsJob) []string {
	parts := []string{fmt.Sprintf("%d%%", job.Done*100/max(job.Total, 1)), thousands(job.Done) + " of " + thousands(job.Total) + " texts"}
	rate := jobRate(job, first)
	if rate > 0 {
		parts = append(parts, thousands(int(rate+0.5))+" a second")
	}
	if job.PromptTokens > 0 {
		parts = append(parts, thousands(job.PromptTokens)+" tokens")
	}
	if job.Failed > 0 {
		parts = append(parts, thousands(job.Failed)+" failed")
	}
	if left, known := jobLeft(job, rate); known {
		parts = append(parts, left.Round(time.Second).String()+" left")
	}
	return parts
}

// jobRate is how many texts a second are done: since it was looked at first, or, when there was no news since, since the work began. It
// is 0 if it is not known.
func jobRate(job, first events.EmbeddingsJob) float64 {
	done, took := job.Done-first.Done, job.Updated.Sub(first.Updated)
	if done <= 0 || took <= 0 {
		done, took = job.Done, job.Updated.Sub(job.Started)
	}
	if done <= 0 || took <= 0 {
		return 0
	}
	return float64(done) / took.Seconds()
}

// jobLeft is how long the rest of a job takes at a rate.
func jobLeft(job events.EmbeddingsJob, rate float64) (time.Duration, bool) {
	if rate <= 0 || job.State != events.JobRunning || job.Done >= job.Total {
		return 0, false
	}
	const longest = 365 * 24 * time.Hour
	seconds := float64(job.Total-job.Done) / rate
	return time.Duration(min(seconds, longest.Seconds()) * float64(time.Second)), true
}
