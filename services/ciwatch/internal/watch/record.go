package watch

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

const (
	recordVersion = 1
	maxAnswered   = 64          // commands that a record tells of
	maxErrorText  = 512         // bytes
	recordAge     = time.Minute // how old a record may become while nothing but the time of the last poll changes
)

// record is what everybody may know of a repository; its leader writes it.
type record struct {
	Version    int    `json:"version"`
	Forge      string `json:"forge"`
	Repository string `json:"repository"`
	// Branch is the default branch, when it was asked for.
	Branch string `json:"branch,omitempty"`
	// PolledAt is when the forge last answered, Error why it did not the last time, and Code the error's code.
	PolledAt time.Time   `json:"polled_at,omitzero"`
	Error    string      `json:"error,omitempty"`
	Code     events.Code `json:"code,omitempty"`
	// RetryAfter is when it makes sense to ask again, after an error.
	RetryAfter time.Time `json:"retry_after,omitzero"`
	// Answered are the last commands that were carried out.
	Answered []string `json:"answered,omitempty"`
}

// of is the repository that the record is about.
func (r record) of() Repository { return Repository{Forge: r.Forge, Name: r.Repository} }

// storedRecord is a record and the revision under which it is stored.
type storedRecord struct {
	record   record
	revision uint64
}

// answered returns the record with one more command.
func (r record) answered(id string) record {
	if slices.Contains(r.Answered, id) {
		return r
	}
	r.Answered = append(slices.Clone(r.Answered[max(len(r.Answered)-maxAnswered+1, 0):]), id)
	return r
}

// polled returns the record after a poll that failed, or did not.
func (r record) polled(at time.Time, err error) record {
	if err == nil {
		r.PolledAt, r.Error, r.Code, r.RetryAfter = at.UTC(), "", "", time.Time{}
		return r
	}
	fault := events.AsError(err)
	r.Error, r.Code, r.RetryAfter = bounded(fault.Message), fault.Code, time.Time{}
	if fault.RetryAfter > 0 {
		r.RetryAfter = at.Add(fault.RetryAfter).UTC()
	}
	return r
}

// err is the error of the last poll, as it was.
func (r record) err() error {
	if r.Code == "" {
		return nil
	}
	fault := events.Errorf(r.Code, "%s", r.Error)
	fault.Provider = r.Forge
	if wait := time.Until(r.RetryAfter); wait > 0 {
		fault.RetryAfter = wait
	}
	return fault
}

// worthWriting reports whether others should learn of it, after what they know.
func (r record) worthWriting(known record) bool {
	return r.Error != known.Error || r.Branch != known.Branch || !slices.Equal(r.Answered, known.Answered) || r.PolledAt.Sub(known.PolledAt) >= recordAge
}

// encode is the record as it is stored.
func (r record) encode() ([]byte, error) {
	r.Version = recordVersion
	return json.Marshal(r)
}

// decodeRecord reads what encode wrote.
func decodeRecord(data []byte) (record, error) {
	var r record
	if err := json.Unmarshal(data, &r); err != nil {
		return record{}, fmt.Errorf("the stored record of a repository is not readable: %w", err)
	}
	if r.Version != recordVersion {
		return record{}, fmt.Errorf("the stored record of a repository has version %d; this program reads version %d", r.Version, recordVersion)
	}
	return r, nil
}

// bounded cuts a text to what an error may have.
func bounded(text string) string {
	if len(text) <= maxErrorText {
		return text
	}
	return strings.ToValidUTF8(text[:maxErrorText], "")
}
