// Package delivery is one event on its way to one endpoint, as it lies in the deliveries stream.
package delivery

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"time"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// maxAttempt bounds what is believed of an attempt number that arrives from outside.
const maxAttempt = 1_000_000

// Delivery is one event on its way to one endpoint. It is a value: an attempt later it is another one.
type Delivery struct {
	// ID is the same on every attempt, and the same again if the same event is routed twice.
	ID string
	// EndpointID is where it goes.
	EndpointID string
	// Event is what is delivered.
	Event events.Event
	// Attempt counts from 1.
	Attempt int
	// FirstAttemptAt is when attempt 1 began; zero before.
	FirstAttemptAt time.Time
	// PublishedAt is when the event was stored; zero when that is not known.
	PublishedAt time.Time
}

// New returns the first attempt to deliver ev to an endpoint.
func New(ev events.Event, endpointID string, publishedAt time.Time) Delivery {
	// An event is identified by its source and id together (CloudEvents 1.0).
	sum := digest(endpointID, ev.Source, ev.ID)
	return Delivery{ID: sum[:32], EndpointID: endpointID, Event: ev, Attempt: 1, PublishedAt: publishedAt}
}

// Next returns the delivery for the attempt after this one.
func (d Delivery) Next() Delivery {
	d.Attempt++
	return d
}

// MessageID is the deduplication id under which this attempt is stored: a second copy is dropped by the stream.
func (d Delivery) MessageID() string { return d.ID + "-" + strconv.Itoa(d.Attempt) }

// Header returns the headers that carry everything but the event.
func (d Delivery) Header() map[string][]string {
	h := map[string][]string{
		events.HeaderContentType: {events.ContentTypeCloudEvent},
		events.HeaderDelivery:    {d.ID},
		events.HeaderEndpoint:    {d.EndpointID},
		events.HeaderEventID:     {d.Event.ID},
		events.HeaderEventType:   {d.Event.Type},
		events.HeaderAttempt:     {strconv.Itoa(d.Attempt)},
	}
	if !d.FirstAttemptAt.IsZero() {
		h[events.HeaderFirstAttemptAt] = []string{d.FirstAttemptAt.UTC().Format(time.RFC3339Nano)}
	}
	if !d.PublishedAt.IsZero() {
		h[events.HeaderPublishedAt] = []string{d.PublishedAt.UTC().Format(time.RFC3339Nano)}
	}
	return h
}

// Read reads a delivery that lies on the subject of an endpoint. What is missing beside the event is filled in, so that
// a person may put a delivery there by hand. Errors are an [events.Error] of code invalid_argument.
func Read(endpointID string, header map[string][]string, body []byte) (Delivery, error) {
	ev, err := events.ParseStructured(body)
	if err != nil {
		return Delivery{}, err
	}
	d := New(ev, endpointID, readTime(header, events.HeaderPublishedAt))
	if id := events.HeaderValue(header, events.HeaderDelivery); id != "" {
		if err := events.CheckToken(events.HeaderDelivery, id); err != nil {
			return Delivery{}, err
		}
		d.ID = id
	}
	if text := events.HeaderValue(header, events.HeaderAttempt); text != "" {
		if d.Attempt, err = strconv.Atoi(text); err != nil || d.Attempt < 1 || d.Attempt > maxAttempt {
			return Delivery{}, events.Errorf(events.CodeInvalidArgument, "%s must be a number of 1 to %d", events.HeaderAttempt, maxAttempt)
		}
	}
	d.FirstAttemptAt = readTime(header, events.HeaderFirstAttemptAt)
	return d, nil
}

// readTime reads a time that only informs: one that cannot be read is not known.
func readTime(header map[string][]string, name string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, events.HeaderValue(header, name))
	if err != nil {
		return time.Time{}
	}
	return t
}

// digest returns the hexadecimal SHA-256 of the parts, each with its length, so that no two lists of parts are alike.
func digest(parts ...string) string {
	h := sha256.New()
	for _, part := range parts {
		h.Write([]byte(strconv.Itoa(len(part)) + ":" + part))
	}
	return hex.EncodeToString(h.Sum(nil))
}
