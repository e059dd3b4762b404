package bus

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/neuron7x/mlsdm-integrations/internal/retry"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// What becomes of a message.
const (
	resultAck      = "ack"   // handled: by far the most frequent, so its counter is at hand
	resultRetry    = "retry" // handed out again after the backoff
	resultLater    = "later" // handed out again when the handler wants it
	resultReturned = "returned"
	resultDead     = "dead" // given up
)

// settlement is what became of a message.
type settlement struct {
	result string
	delay  time.Duration // until it is handed out again
}

// tell says on the span of a message what became of it. What is put off as the handler wants it, or given back, has not failed.
func (s settlement) tell(span trace.Span, cause error) {
	if !span.IsRecording() {
		return
	}
	attrs := append(make([]attribute.KeyValue, 0, 2), keySettle.String(s.result))
	if s.delay > 0 {
		attrs = append(attrs, keyDelay.Float64(s.delay.Seconds()))
	}
	span.SetAttributes(attrs...)
	if cause != nil && s.result != resultLater && s.result != resultReturned {
		failed(span, cause)
	}
}

// settle turns what a handler returned into the one word that the server is told about the message.
func (w *worker) settle(ctx context.Context, raw *nats.Msg, m *Message, cause error) settlement {
	delay, asked := retry.Delay(cause)
	var s settlement
	var err error
	switch {
	case cause == nil:
		s.result = resultAck
		err = w.say(ctx, raw, nil)
	case ctx.Err() != nil, errors.Is(cause, ErrGivenBack): // the shutdown: nobody's fault, so another replica may have it at once
		s.result = resultReturned
		err = w.say(ctx, raw, nakBody(0))
	case retry.IsPermanent(cause), w.spent(ctx, m, w.cfg.MaxAttempts):
		s, err = w.giveUp(ctx, raw, m, cause)
	case asked:
		s = settlement{resultLater, delay}
		err = w.say(ctx, raw, nakBody(delay))
	default:
		s, err = w.again(ctx, raw, m)
	}
	if s.result == resultAck {
		w.metrics.acked.Inc()
	} else {
		w.bus.metrics.consumed.WithLabelValues(w.cfg.Stream, w.cfg.Durable, s.result).Inc()
	}
	w.logOutcome(ctx, m, s.result, cause)
	if err != nil {
		w.bus.log.WarnContext(ctx, "the server was not told what became of a message; it will hand it out again",
			"subject", m.Subject, "sequence", m.Sequence, "result", s.result, "err", err)
	}
	return s
}

// again has a message handed out again after the backoff.
func (w *worker) again(ctx context.Context, raw *nats.Msg, m *Message) (settlement, error) {
	s := settlement{resultRetry, w.backoff(m)}
	return s, w.say(ctx, raw, nakBody(s.delay))
}

// say tells the server what became of a message; an empty word is an ack. It has a span only if that takes long or fails.
func (w *worker) say(ctx context.Context, raw *nats.Msg, word []byte) error {
	began := w.bus.clock()
	err := w.bus.nc.Publish(raw.Reply, word)
	if w.bus.notable(ctx, began, err) {
		w.bus.afterwards(ctx, began, settling(word, w.bus.templates.of(raw.Subject)), err,
			keyGroup.String(w.cfg.Durable), keyStream.String(w.cfg.Stream), keyConsumer.String(w.cfg.Durable))
	}
	return err
}

// settling is the shape of telling the server a word of the ack protocol.
func settling(word []byte, to *destination) *shape {
	operation := "ack"
	switch {
	case bytes.HasPrefix(word, []byte("-NAK")):
		operation = "nak"
	case bytes.HasPrefix(word, []byte("+TERM")):
		operation = "term"
	}
	s := newShape(trace.SpanKindClient, operation, "settle", to.name)
	return &s
}

// nakBody is the word that has a message handed out again after a while.
func nakBody(delay time.Duration) []byte {
	if delay <= 0 {
		return []byte("-NAK")
	}
	return fmt.Appendf(nil, `-NAK {"delay":%d}`, delay.Nanoseconds())
}

// crashesAllowed is how many times more than MaxAttempts a message may have been handed out before it is given up without
// another try. Attempts that ended are settled at MaxAttempts; what is handed out again after that was cut short each time,
// by a shutdown, or by a process that the message itself brings down.
const crashesAllowed = 10

// worn reports that a message has been handed out too often, whatever became of it.
func (w *worker) worn(ctx context.Context, m *Message) bool {
	return w.cfg.MaxAttempts > 0 && w.spent(ctx, m, w.cfg.MaxAttempts+crashesAllowed+1)
}

// spent reports whether a message has been handed out so often since the work on it last came forward.
func (w *worker) spent(ctx context.Context, m *Message, attempts int) bool {
	if w.cfg.MaxAttempts <= 0 || m.Attempt < attempts {
		return false
	}
	if w.cfg.Progress == nil {
		return true
	}
	var forward int
	err := safely(func() (err error) {
		forward, err = w.cfg.Progress(ctx, m)
		return err
	})
	if err != nil {
		w.bus.log.ErrorContext(ctx, "whether a message that is to be given up came forward is not known; it is tried again",
			"subject", m.Subject, "sequence", m.Sequence, "err", err)
		return false
	}
	return m.Attempt-forward >= attempts
}

// backoff is the delay before the next attempt.
func (w *worker) backoff(m *Message) time.Duration {
	return w.cfg.Backoff.Delay(m.Attempt-1, rand.Float64)
}

// giveUp answers whoever waits, writes the dead letter, and only then lets the stream forget the message.
func (w *worker) giveUp(ctx context.Context, raw *nats.Msg, m *Message, cause error) (settlement, error) {
	if w.cfg.GiveUp != nil {
		if err := safely(func() error { return w.cfg.GiveUp(ctx, m, cause) }); err != nil {
			w.bus.log.ErrorContext(ctx, "a message that is to be given up could not be answered; it is tried again",
				"subject", m.Subject, "sequence", m.Sequence, "err", err)
			return w.again(ctx, raw, m)
		}
	}
	if w.cfg.DeadSubject != nil {
		if err := w.bus.DeadLetter(ctx, w.cfg.DeadSubject(m), m, cause); err != nil {
			w.bus.log.ErrorContext(ctx, "a dead letter could not be stored; the message is tried again",
				"subject", m.Subject, "sequence", m.Sequence, "err", err)
			return w.again(ctx, raw, m)
		}
	}
	return settlement{result: resultDead}, w.say(ctx, raw, []byte("+TERM "+oneLine(cause.Error())))
}

// DeadLetter stores a message that is given up: body and headers as they were, and beside them the reason and where it
// came from. Storing the same message twice keeps one.
func (b *Bus) DeadLetter(ctx context.Context, subject string, m *Message, cause error) error {
	header := maps.Clone(m.Header)
	if header == nil {
		header = make(map[string][]string)
	}
	if id := events.HeaderValue(header, events.HeaderMsgID); id != "" {
		header[events.HeaderDeadMsgID] = []string{id}
	}
	for name := range header { // JetStream would act on the first kind a second time, and the second cannot be sent at all
		if strings.HasPrefix(strings.ToLower(name), "nats-") || !sendable(name) {
			delete(header, name)
		}
	}
	header[events.HeaderDeadReason] = []string{oneLine(cause.Error())}
	header[events.HeaderDeadCode] = []string{string(events.CodeOf(cause))}
	header[events.HeaderDeadSubject] = []string{m.Subject}
	header[events.HeaderDeadStream] = []string{m.Stream}
	header[events.HeaderDeadSequence] = []string{strconv.FormatUint(m.Sequence, 10)}
	header[events.HeaderDeadAttempts] = []string{strconv.Itoa(m.Attempt)}
	header[events.HeaderDeadTime] = []string{time.Now().UTC().Format(time.RFC3339Nano)}
	_, err := b.Publish(ctx, Msg{
		// The subject tells apart what several give up who read the same message.
		Subject: subject, ID: fmt.Sprintf("dead-%s-%d-%d-%s", m.Stream, m.Sequence, m.Time.UnixNano(), subject), Header: header, Body: m.Body,
	})
	if err == nil {
		b.metrics.dead.WithLabelValues(m.Stream).Inc()
	}
	return err
}

// logOutcome writes the one log line of a message. Success is worth one only when somebody debugs.
func (w *worker) logOutcome(ctx context.Context, m *Message, result string, cause error) {
	if cause == nil && !w.bus.log.Enabled(ctx, slog.LevelDebug) {
		return
	}
	attrs := []any{"subject", m.Subject, "sequence", m.Sequence, "attempt", m.Attempt, "result", result}
	if cause == nil {
		w.bus.log.DebugContext(ctx, "message handled", attrs...)
		return
	}
	attrs = append(attrs, "err", cause)
	var panicked *panicError
	switch {
	case errors.As(cause, &panicked):
		w.bus.log.ErrorContext(ctx, "a handler panicked", append(attrs, "stack", string(panicked.stack))...)
	case result == resultDead:
		w.bus.log.ErrorContext(ctx, "message given up", attrs...)
	case result == resultLater: // as the handler wants it
		w.bus.log.InfoContext(ctx, "message put off", attrs...)
	default:
		w.bus.log.WarnContext(ctx, "message not handled yet", attrs...)
	}
}

// oneLine makes an error's text fit a header and the ack protocol.
func oneLine(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
	const limit = 500
	if len(s) > limit {
		s = strings.ToValidUTF8(s[:limit], "") + "…"
	}
	return s
}

// giveBack returns a message that nobody began, so that another replica may have it at once.
func (w *worker) giveBack(ctx context.Context, msg *nats.Msg) {
	if !isMessage(msg) {
		return
	}
	if err := msg.Nak(); err != nil {
		w.bus.log.DebugContext(ctx, "a message could not be given back; the server hands it out again by itself", "err", err)
		return
	}
	w.bus.metrics.consumed.WithLabelValues(w.cfg.Stream, w.cfg.Durable, resultReturned).Inc()
}
