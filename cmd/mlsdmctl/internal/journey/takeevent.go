package journey

import (
	"encoding/json"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// tells is what the data of an event of ours can say that matters here.
type tells struct {
	// Of requests.
	RequestID   string   `json:"request_id"`
	Caller      string   `json:"caller"`
	Kind        string   `json:"kind"`
	Door        string   `json:"door"`
	Outcome     string   `json:"outcome"`
	Code        string   `json:"code"`
	Model       string   `json:"model"`
	AnsweredBy  string   `json:"answered_by"`
	LatencyMS   float64  `json:"latency_ms"`
	Attempts    int      `json:"attempts"`
	Cached      bool     `json:"cached"`
	Stage       string   `json:"stage"`
	Score       *float64 `json:"score"`
	Threshold   float64  `json:"threshold"`
	Reason      string   `json:"reason"`
	DeliveryID  string   `json:"delivery_id"`
	EndpointID  string   `json:"endpoint_id"`
	FailedID    string   `json:"failed_event_id"`
	Repository  string   `json:"repository"`
	Forge       string   `json:"forge"`
	Workflow    string   `json:"workflow"`
	Branch      string   `json:"branch"`
	RunID       int64    `json:"run_id"`
	RunAttempt  int      `json:"run_attempt"`
	Conclusion  string   `json:"conclusion"`
	URL         string   `json:"url"`
	RecoveryID  string   `json:"recovery_id"`
	StartedAt   string   `json:"started_at"`
	CompletedAt string   `json:"completed_at"`
	Service     string   `json:"service"`
}

// takeEvent takes an event.
func (f *finder) takeEvent(m *bus.Message) {
	stored := events.Stored{Stream: m.Stream, Sequence: m.Sequence, Time: m.Time}
	ev, err := events.FromMessageShared(f.bus.Subjects(), m.Subject, m.Header, m.Body, stored)
	if err != nil {
		return // it lies in dead letters, too
	}
	e := &Event{ID: ev.ID, Source: ev.Source, Type: ev.Type, Subject: ev.Subject, At: m.Time, Time: ev.Time, Sequence: m.Sequence, TraceID: traceID(ev.TraceParent)}
	if e.TraceID == "" {
		e.TraceID = traceOf(m.Header)
	}
	if ev.DataContentType == "" || ev.DataContentType == events.ContentTypeJSON {
		read(ev.Data, &e.tells)
	}
	ids := []string{e.ID, e.TraceID, e.tells.RequestID, e.tells.DeliveryID, e.tells.FailedID, e.tells.RecoveryID}
	key := eventKey{m.Sequence, ev.ID}
	if !f.belongs(append(ids, e.Subject)...) || f.events[key] != nil || !f.room() {
		return
	}
	if _, ours := events.FindType(ev.Type); ours {
		e.About = about(e)
		e.Origin = originRun(e)
	} else { // what others call so may be anything
		e.tells.DeliveryID = ""
	}
	f.events[key] = e
	f.learn(ids...)
	f.trace(e.TraceID)
	f.meant(IsEvent, e.ID)
	f.meant(IsSubject, e.Subject)
	f.meant(IsRequest, e.tells.RequestID)
	f.meant(IsDelivery, e.tells.DeliveryID)
}

// read reads what of the data can be read: a member of another type than ours is not for us.
func read(data []byte, t *tells) {
	if err := json.Unmarshal(data, t); err != nil {
		*t = tells{}
		var ids struct {
			RequestID string `json:"request_id"`
		}
		if json.Unmarshal(data, &ids) == nil {
			t.RequestID = ids.RequestID
		}
	}
}

// originRun is the CI run that an event tells of.
func originRun(e *Event) *Origin {
	t := e.tells
	if t.RunID == 0 || t.Repository == "" {
		return nil
	}
	return &Origin{
		Forge: t.Forge, Repository: t.Repository, Workflow: t.Workflow, Branch: t.Branch, RunID: t.RunID, RunAttempt: t.RunAttempt,
		Conclusion: t.Conclusion, URL: t.URL, StartedAt: when(t.StartedAt), CompletedAt: when(t.CompletedAt),
	}
}

// when reads a time that only informs.
func when(text string) time.Time {
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return time.Time{}
	}
	return at
}
