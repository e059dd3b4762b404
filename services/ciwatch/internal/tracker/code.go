package tracker

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

const (
	// maxState bounds the stored form.
	maxState = 63 << 10
	// maxEarlyBytes bounds the part of it that are jobs without a run.
	maxEarlyBytes = 2 << 10
)

// Encode returns the form that is stored: JSON, less than 64 KiB and usually 12. Of what waits, and of the jobs that were told before
// their run, it holds as much as fits; see [State.Note].
func (s State) Encode() ([]byte, error) {
	early, pending := s.Early, s.Pending
	s.Early, s.Pending = nil, nil
	s.LastRun, s.LastGood = stripped(s.LastRun), stripped(s.LastGood)
	data, err := marshal(s)
	if err != nil {
		return nil, err
	}
	jobs, err := fitting(backward(early), maxEarlyBytes)
	if err != nil {
		return nil, err
	}
	slices.Reverse(jobs)
	data = splice(data, "early", jobs)
	waiting, err := fitting(slices.Values(pending[:min(len(pending), maxPending)]), maxState-len(data))
	if err != nil {
		return nil, err
	}
	return splice(data, "pending", waiting), nil
}

// backward returns the values from the last to the first.
func backward[T any](values []T) iter.Seq[T] {
	return func(yield func(T) bool) {
		for _, v := range slices.Backward(values) {
			if !yield(v) {
				return
			}
		}
	}
}

// marshal is json.Marshal without the care for HTML, which takes room.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// fitting returns the JSON of the first values that fit into a limit.
func fitting[T any](values iter.Seq[T], limit int) ([][]byte, error) {
	var out [][]byte
	for v := range values {
		data, err := marshal(v)
		if err != nil {
			return nil, err
		}
		if limit -= len(data) + 1; limit < 0 {
			break
		}
		out = append(out, data)
	}
	return out, nil
}

// splice appends a field to a JSON object.
func splice(object []byte, name string, items [][]byte) []byte {
	if len(items) == 0 {
		return object
	}
	object = append(bytes.TrimSuffix(object, []byte("}")), `,"`+name+`":[`...)
	object = append(object, bytes.Join(items, []byte(","))...)
	return append(object, "]}"...)
}

// stripped is a run as it is stored: without what it shares with the state.
func stripped(run *events.CIRun) *events.CIRun {
	if run == nil {
		return nil
	}
	out := *run
	out.Forge, out.Repository, out.Branch, out.WorkflowID = "", "", "", 0
	return &out
}

// restore undoes stripped.
func (s *State) restore(run *events.CIRun) {
	if run != nil {
		run.Forge, run.Repository, run.Branch, run.WorkflowID = s.Forge, s.Repository, named(s.Branch), s.WorkflowID
	}
}

// Decode reads what [State.Encode] wrote. It refuses what it cannot have written, so that a state that someone else
// changed, or that a newer version wrote, is never taken for an empty one.
func Decode(data []byte) (State, error) {
	var s State
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	err := dec.Decode(&s)
	if version := versionOf(data, s, err); version != stateVersion && version != 0 {
		return State{}, fmt.Errorf("the stored CI state has version %d; this program reads version %d", version, stateVersion)
	}
	if err != nil {
		return State{}, fmt.Errorf("the stored CI state is not readable: %w", err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return State{}, fmt.Errorf("the stored CI state has %d bytes that do not belong to it", len(data)-int(dec.InputOffset()))
	}
	if s.Version != stateVersion {
		return State{}, errors.New("the stored CI state has no version")
	}
	if what := s.contradiction(); what != "" {
		return State{}, fmt.Errorf("the stored CI state contradicts itself: %s", what)
	}
	s.restore(s.LastRun)
	s.restore(s.LastGood)
	return s, nil
}

// versionOf returns the version of a stored state, also of one that could not be read; 0 when it has none.
func versionOf(data []byte, s State, err error) int {
	if err == nil {
		return s.Version
	}
	var version struct {
		Version int `json:"version"`
	}
	if json.Unmarshal(data, &version) != nil {
		return 0
	}
	return version.Version
}

// contradiction says what cannot be; empty when all can.
func (s *State) contradiction() string {
	switch {
	case len(s.Runs) > maxRuns, len(s.Days) > maxDays, len(s.Flaky) > maxFlaky, len(s.Recoveries) > maxRecoveries, len(s.Early) > maxEarly,
		len(s.Pending) > maxPending:
		return "there is too much of something"
	case s.Carried < 0, s.CarriedPasses < 0, s.Episode < 0, (s.Carried > 0) != (s.CarriedFirst != nil):
		return "the streak that is carried on"
	case !ascending(s.Runs, compareRuns):
		return "the order of runs"
	case !ascending(s.Days, func(a, b Day) int { return a.Day - b.Day }):
		return "the order of days"
	case !ascending(s.Flaky, func(a, b FlakyJob) int { return strings.Compare(a.Name, b.Name) }):
		return "the order of flaky jobs"
	case !slices.IsSortedFunc(s.Pending, compareNoted):
		return "the order of what waits"
	case s.Degraded != nil && (s.Degraded.Failures < 1 || s.Episode < 1):
		return "degraded health"
	case slices.ContainsFunc(s.Runs, func(r Run) bool { return !r.isUsable() }), s.CarriedFirst != nil && !s.CarriedFirst.isUsable():
		return "the attempts of a run"
	case slices.ContainsFunc(s.Flaky, func(j FlakyJob) bool { return len(j.Days) == 0 || len(j.Days) > maxDays }):
		return "the days of a flaky job"
	case slices.ContainsFunc(s.Pending, func(n Noted) bool { return n.Run.ID <= 0 || n.Run.Attempt < 1 || !n.Run.Done }):
		return "what waits"
	case slices.ContainsFunc(s.Recoveries, func(r Recovery) bool { return r.ID == "" || !r.isKnown() }):
		return "the state of a recovery"
	}
	return ""
}

// ascending reports whether each value is greater than the one before.
func ascending[T any](values []T, compare func(a, b T) int) bool {
	for i := 1; i < len(values); i++ {
		if compare(values[i-1], values[i]) >= 0 {
			return false
		}
	}
	return true
}

// isUsable reports whether the attempts of a run are as they are written.
func (r Run) isUsable() bool {
	return r.ID > 0 && len(r.Attempts) > 0 && len(r.Attempts) <= maxAttempts && len(r.Results) == len(r.Attempts) && len(r.Jobs) <= events.MaxCIJobs &&
		ascending(r.Attempts, func(a, b int) int { return a - b }) && strings.Trim(r.Results, string([]byte{failed, passed, neither})) == ""
}

// isKnown reports whether the state of a recovery is one that there is.
func (r Recovery) isKnown() bool {
	switch r.State {
	case events.CIRecoveryPlanned, events.CIRecoveryAsked, events.CIRecoveryWorked, events.CIRecoveryUseless, events.CIRecoveryRefused,
		events.CIRecoveryDryRun:
		return true
	}
	return false
}
