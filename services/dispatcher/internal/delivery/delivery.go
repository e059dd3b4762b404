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
	// Slot is the time of a place under the endpoint's rate that it was given; zero is none.
	Slot time.Time
	// NextAt is when this attempt is due, where that is not the scheduler's business; zero is now.
	NextAt time.Time
	// Trace is the trace context of the attempt before this one, as a traceparent, where a message does not carry that of the
	// delivery; empty is none.
	Trace string
	// ReplayID is that of the replay that made it; empty is none.
	ReplayID string
	// Probe is which disabling of the endpoint this tests; 0 is no probe.
	Probe uint64
}

// New returns the first attempt to deliver ev to an endpoint.
func New(ev events.Event, endpointID string, publishedAt time.Time) Delivery {
	// An event is identified by its source and id together (CloudEvents 1.0).
	return Delivery{ID: digest(endpointID, ev.Source, ev.ID), EndpointID: endpointID, Event: ev, Attempt: 1, PublishedAt: publishedAt}
}

// Next returns the delivery for the attempt after this one.
func (d Delivery) Next() Delivery {
	d.Attempt++
	d.Slot = time.Time{}
	return d
}

// MessageID is the deduplication id under which this attempt is stored: a second copy is dropped by the stream.
func (d Delivery) MessageID() string { return d.ID + "-" + strconv.Itoa(d.Attempt) }

// Message returns the delivery as it lies in the stream: the event in binary mode, so that who reads it need not parse JSON,
// or as structured JSON where it would not be the same.
func (d Delivery) Message() (header map[string][]string, body []byte, err error) {
	if d.Event.DataContentType == "" && len(d.Event.Data) > 0 {
		d.Event.DataContentType = events.ContentTypeJSON // which it is without a word about it (CloudEvents 1.0, JSON format)
	}
	h := d.header()
	if d.Event.SetBinary(h.all) {
		return h.all, d.Event.Data, nil
	}
	h.set(events.HeaderContentType, events.ContentTypeCloudEvent)
	body, err = d.Event.MarshalJSON()
	return h.all, body, err
}

// Header returns the headers that carry everything but the event, and name the event for who does not look into it.
func (d Delivery) Header() map[string][]string {
	h := d.header()
	h.set(events.HeaderEndpoint, d.EndpointID)
	h.set(events.HeaderEventID, d.Event.ID)
	h.set(events.HeaderEventType, d.Event.Type)
	return h.all
}

// header returns the headers that the subject and the event do not give.
func (d *Delivery) header() headers {
	h := newHeaders()
	h.set(events.HeaderDelivery, d.ID)
	h.set(events.HeaderAttempt, strconv.Itoa(d.Attempt))
	h.setTime(events.HeaderFirstAttemptAt, d.FirstAttemptAt)
	h.setTime(events.HeaderPublishedAt, d.PublishedAt)
	h.setTime(events.HeaderSlot, d.Slot)
	if d.ReplayID != "" {
		h.set(events.HeaderReplay, d.ReplayID)
	}
	if d.Probe != 0 {
		h.set(events.HeaderProbe, strconv.FormatUint(d.Probe, 10))
	}
	return h
}

// Read reads a delivery that lies on the subject of an endpoint. What is missing beside the event is filled in, so that
// a person may put a delivery there by hand. Errors are an [events.Error] of code invalid_argument.
func Read(endpointID string, header map[string][]string, body []byte) (Delivery, error) {
	if d, ok := readOwn(endpointID, header, body); ok {
		return d, nil
	}
	ev, err := readEvent(header, body)
	if err != nil {
		return Delivery{}, err
	}
	d := Delivery{ID: events.HeaderValue(header, events.HeaderDelivery), EndpointID: endpointID, Event: ev, Attempt: 1}
	if d.ID == "" {
		d.ID = New(ev, endpointID, time.Time{}).ID
	} else if err := events.CheckToken(events.HeaderDelivery, d.ID); err != nil {
		return Delivery{}, err
	}
	if text := events.HeaderValue(header, events.HeaderAttempt); text != "" {
		if d.Attempt, err = strconv.Atoi(text); err != nil || d.Attempt < 1 || d.Attempt > maxAttempt {
			return Delivery{}, events.Errorf(events.CodeInvalidArgument, "%s must be a number of 1 to %d", events.HeaderAttempt, maxAttempt)
		}
	}
	if text := events.HeaderValue(header, events.HeaderProbe); text != "" {
		if d.Probe, err = strconv.ParseUint(text, 10, 64); err != nil {
			return Delivery{}, events.Errorf(events.CodeInvalidArgument, "%s must be a number", events.HeaderProbe)
		}
	}
	d.FirstAttemptAt = readTime(events.HeaderValue(header, events.HeaderFirstAttemptAt))
	d.PublishedAt = readTime(events.HeaderValue(header, events.HeaderPublishedAt))
	d.Slot = readTime(events.HeaderValue(header, events.HeaderSlot))
	if id := events.HeaderValue(header, events.HeaderReplay); events.CheckToken(events.HeaderReplay, id) == nil {
		d.ReplayID = id // it only informs, too
	}
	return d, nil
}

// readEvent reads the event in either mode.
func readEvent(header map[string][]string, body []byte) (events.Event, error) {
	if events.HeaderValue(header, events.HeaderCloudEventPrefix+"specversion") != "" {
		return events.ParseBinary(header, body)
	}
	return events.ParseStructured(body)
}

// readTime reads a time that only informs: one that cannot be read is not known.
func readTime(text string) time.Time {
	if text == "" {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return time.Time{}
	}
	return t
}

// digest returns 128 bits of the SHA-256 of the parts, in hexadecimal. Each part stands there with its length, so that no two
// lists of parts are alike.
func digest(parts ...string) string {
	const (
		size  = 16
		usual = 256 // room for endpoint, source and id
	)
	text := make([]byte, 0, usual)
	for _, part := range parts {
		text = strconv.AppendInt(text, int64(len(part)), 10)
		text = append(append(text, ':'), part...)
	}
	sum := sha256.Sum256(text)
	var digits [2 * size]byte
	hex.Encode(digits[:], sum[:size])
	return string(digits[:])
}
