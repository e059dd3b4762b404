package top

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Report is how an installation does.
type Report struct {
	At time.Time `json:"at"`
	// Seconds is how long the rates were measured; 0 when they are not known yet.
	Seconds    float64     `json:"seconds"`
	Services   []Service   `json:"services"`
	Operations []Operation `json:"operations"`
	Streams    []Stream    `json:"streams"`
	Consumers  []Consumer  `json:"consumers"`
	Endpoints  []Endpoint  `json:"endpoints"`
	// Notes say what could not be read, and why.
	Notes []string `json:"notes,omitempty"`
}

// Service is one replica of a service.
type Service struct {
	Name    string    `json:"name"`
	Replica string    `json:"replica"`
	Version string    `json:"version"`
	Started time.Time `json:"started"`
	// PerSecond and ErrorsPerSecond are those of all its operations.
	PerSecond       float64 `json:"per_second"`
	ErrorsPerSecond float64 `json:"errors_per_second"`
}

// Operation is what all replicas of a service answered on a subject.
type Operation struct {
	Service  string `json:"service"`
	Name     string `json:"name"`
	Requests uint64 `json:"requests"`
	Errors   uint64 `json:"errors"`
	// PerSecond and ErrorsPerSecond are rates, MeanMS is how long an answer took on average since the sample before, and ever where
	// there was none.
	PerSecond       float64 `json:"per_second"`
	ErrorsPerSecond float64 `json:"errors_per_second"`
	MeanMS          float64 `json:"mean_ms"`
	LastError       string  `json:"last_error,omitempty"`

	subject    string
	processing time.Duration
	answered   uint64 // since the sample before
	took       time.Duration
}

// Stream is how much a stream holds.
type Stream struct {
	Name     string `json:"name"`
	Messages uint64 `json:"messages"`
	Bytes    uint64 `json:"bytes"`
	// PerSecond is how many messages were stored, Oldest when the first of those that are kept was.
	PerSecond float64   `json:"per_second"`
	Oldest    time.Time `json:"oldest,omitzero"`
}

// Consumer is how far a consumer has come.
type Consumer struct {
	Stream  string `json:"stream"`
	Name    string `json:"name"`
	Service string `json:"service"`
	// Pending was not handed out yet, Unacked was, and Redelivered more than once.
	Pending     uint64 `json:"pending"`
	Unacked     int    `json:"unacked"`
	Redelivered int    `json:"redelivered"`
	// PerSecond is how many messages of the stream it left behind it.
	PerSecond float64 `json:"per_second"`
	// OldestSeconds is for how long the oldest message that is not settled has been there; 0 when there is none.
	OldestSeconds float64 `json:"oldest_seconds"`
}

// Endpoint is how a webhook endpoint does.
type Endpoint struct {
	ID     string    `json:"id"`
	State  string    `json:"state"`
	Reason string    `json:"reason,omitempty"`
	Since  time.Time `json:"since,omitzero"`
	// Delivered, Retried and Dead are attempts a second by what came of them.
	Delivered float64 `json:"delivered_per_second"`
	Retried   float64 `json:"retried_per_second"`
	Dead      float64 `json:"dead_per_second"`
}

// Idle reports that nobody answers.
func (r *Report) Idle() bool { return len(r.Services) == 0 }

// Compare makes a report of a sample and the one before, which is nil at first.
func Compare(before, now *Sample) *Report {
	r := &Report{
		At: now.at.UTC(), Services: []Service{}, Operations: []Operation{}, Streams: []Stream{}, Consumers: []Consumer{}, Endpoints: []Endpoint{},
		Notes: now.notes,
	}
	if before == nil {
		before = &Sample{at: now.at}
	}
	r.Seconds = now.at.Sub(before.at).Seconds()
	r.compareServices(before, now)
	r.compareStreams(before, now)
	for _, e := range now.endpoints {
		done := now.attempts[e.ID]
		r.Endpoints = append(r.Endpoints, Endpoint{
			ID: e.ID, State: e.Status.State, Reason: e.Status.Reason, Since: e.Status.Since,
			Delivered: r.rate(float64(done[events.AttemptDelivered])), Retried: r.rate(float64(done[events.AttemptRetry])),
			Dead: r.rate(float64(done[events.AttemptDead])),
		})
	}
	return r
}

// rate is a number of things a second.
func (r *Report) rate(n float64) float64 {
	if r.Seconds <= 0 || n < 0 {
		return 0
	}
	return n / r.Seconds
}

// compareServices compares replicas with themselves. One that has come since then began to count at zero.
func (r *Report) compareServices(before, now *Sample) {
	all := make(map[string]*Operation)
	for _, id := range slices.Sorted(maps.Keys(now.replicas)) {
		replica := now.replicas[id]
		earlier, known := before.replicas[id]
		counted := known || replica.Started.After(before.at)
		service := Service{Name: replica.Name, Replica: id, Version: replica.Version, Started: replica.Started}
		for _, stats := range replica.Endpoints {
			key := replica.Name + " " + stats.Subject
			o := all[key]
			if o == nil {
				o = &Operation{Service: replica.Name, Name: stats.Name, subject: stats.Subject}
				all[key] = o
			}
			o.Requests += stats.Requests
			o.Errors += stats.Errors
			o.processing += stats.Processing
			o.LastError = cmp.Or(stats.LastError, o.LastError)
			if !counted {
				continue
			}
			was := earlier.operation(stats.Subject)
			if stats.Requests < was.Requests { // it counts anew
				was = operationStats{}
			}
			o.answered += stats.Requests - was.Requests
			o.took += stats.Processing - was.Processing
			failed := r.rate(float64(stats.Errors) - float64(was.Errors))
			o.ErrorsPerSecond += failed
			service.ErrorsPerSecond += failed
			service.PerSecond += r.rate(float64(stats.Requests - was.Requests))
		}
		r.Services = append(r.Services, service)
	}
	for _, key := range slices.Sorted(maps.Keys(all)) {
		o := *all[key]
		o.PerSecond = r.rate(float64(o.answered))
		switch {
		case o.answered > 0:
			o.MeanMS = o.took.Seconds() * 1000 / float64(o.answered)
		case o.Requests > 0:
			o.MeanMS = o.processing.Seconds() * 1000 / float64(o.Requests)
		}
		r.Operations = append(r.Operations, o)
	}
	slices.SortFunc(r.Services, func(a, b Service) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Replica, b.Replica)) })
}

// operation is what a replica counted on a subject.
func (r replica) operation(subject string) operationStats {
	for _, o := range r.Endpoints {
		if o.Subject == subject {
			return o
		}
	}
	return operationStats{}
}

// compareStreams compares streams and consumers with themselves.
func (r *Report) compareStreams(before, now *Sample) {
	for _, s := range events.Streams() {
		state, found := now.streams[s.Name]
		if !found {
			continue
		}
		stream := Stream{Name: s.Name, Messages: state.Messages, Bytes: state.Bytes}
		if state.Messages > 0 {
			stream.Oldest = state.FirstTime
		}
		if was, known := before.streams[s.Name]; known {
			stream.PerSecond = r.rate(float64(state.Last) - float64(was.Last))
		}
		r.Streams = append(r.Streams, stream)
	}
	for _, c := range events.Consumers() {
		state, found := now.consumers[c.Name]
		if !found {
			continue
		}
		line := Consumer{Stream: c.Stream, Name: c.Name, Service: c.UsedBy, Pending: state.Pending, Unacked: state.Unacked, Redelivered: state.Redelivered}
		if !state.oldest.IsZero() {
			line.OldestSeconds = max(now.at.Sub(state.oldest).Seconds(), 0)
		}
		if was, known := before.consumers[c.Name]; known {
			line.PerSecond = r.rate(float64(state.Settled) - float64(was.Settled))
		}
		r.Consumers = append(r.Consumers, line)
	}
}
