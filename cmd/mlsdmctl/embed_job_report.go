package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/neuron7x/mlsdm-integrations/cmd/mlsdmctl/internal/bulk"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// jobReport is what is known of a request, for machines.
type jobReport struct {
	RequestID   string            `json:"request_id"`
	State       string            `json:"state"` // "running", "done" or "failed"
	Model       string            `json:"model,omitempty"`
	Space       string            `json:"space,omitempty"`
	Dimensions  int               `json:"dimensions,omitempty"`
	Total       int               `json:"total"`
	Done        int               `json:"done"`
	Failed      int               `json:"failed"`
	Tokens      int               `json:"tokens"`
	Started     time.Time         `json:"started,omitzero"`
	Updated     time.Time         `json:"updated,omitzero"`
	PerSecond   float64           `json:"texts_per_second,omitempty"`
	SecondsLeft float64           `json:"seconds_left,omitempty"`
	ResultKept  bool              `json:"result_kept"`
	Error       *events.ErrorBody `json:"error,omitempty"`
}

// report is what is known, for machines.
func (r *jobRun) report(s jobState) jobReport {
	out := jobReport{RequestID: r.ID, ResultKept: s.over()}
	if job := s.job; job != nil {
		out.State, out.Model, out.Total, out.Done, out.Failed, out.Tokens = job.State, job.Model, job.Total, job.Done, job.Failed, job.PromptTokens
		out.Started, out.Updated = job.Started, job.Updated
		out.PerSecond = jobRate(*job, *job)
		if left, known := jobLeft(*job, out.PerSecond); known && !s.over() {
			out.SecondsLeft = left.Seconds()
		}
	}
	switch {
	case s.failure != nil:
		e := events.AsError(s.failure)
		out.State = events.JobFailed
		out.Error = &events.ErrorBody{Code: e.Code, Message: e.Message, Retryable: e.Retryable, Provider: e.Provider}
	case s.resp != nil:
		n := textsOf(s.resp)
		out.State, out.Model, out.Total, out.Done, out.Failed, out.Tokens = events.JobDone, s.resp.Model, n, n, s.resp.Failed, s.resp.Usage.TotalTokens
		if out.Dimensions = dimensionsOf(s.resp); out.Dimensions > 0 {
			out.Space = bulk.SpaceOf(s.resp, out.Dimensions).ID
		}
	}
	return out
}

// lines is what is known, for a person.
func (r *jobRun) lines(s jobState) []string {
	known := r.report(s)
	switch {
	case s.failure != nil:
		return []string{fmt.Sprintf("%s failed: %s (%s)", r.ID, printable(known.Error.Message), known.Error.Code)}
	case s.resp != nil:
		line := fmt.Sprintf("%s is done: %s vectors of %d numbers, %s tokens, by %s in the space %s", r.ID, thousands(known.Total-known.Failed),
			known.Dimensions, thousands(known.Tokens), printable(known.Model), printable(known.Space))
		if known.Failed > 0 {
			line += fmt.Sprintf("; %s texts have none", thousands(known.Failed))
		}
		return []string{line, fmt.Sprintf("\"mlsdmctl job %s --out vectors.npy\" writes them into a file", quoted(r.ID))}
	case known.State == events.JobRunning:
		return []string{
			fmt.Sprintf("%s is worked on: %s", r.ID, strings.Join(jobParts(*s.job, *s.job), " · ")),
			fmt.Sprintf("since %s, last heard of %s; --watch waits for its result", shortTime(known.Started), shortTime(known.Updated)),
		}
	default:
		return []string{fmt.Sprintf("%s of %s texts: %s at %s, and its result is not kept any longer", r.ID, thousands(known.Total), known.State, shortTime(known.Updated))}
	}
}

// shortTime writes a time for a person.
func shortTime(at time.Time) string { return at.Local().Format(time.DateTime) }
