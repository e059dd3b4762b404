package bus

import (
	"strings"
	"time"

	"github.com/nats-io/nats.go"
)

// ackPrefix starts the reply subject of every message that a consumer hands out, and of nothing else.
const ackPrefix = "$JS.ACK."

// isMessage tells a stored message from a status: only a message can be acked.
func isMessage(msg *nats.Msg) bool { return strings.HasPrefix(msg.Reply, ackPrefix) }

// position is what JetStream says of a message in its reply subject.
type position struct {
	stream    string
	delivered uint64 // how often it was handed out
	sequence  uint64 // in the stream
	consumer  uint64 // in what the consumer handed out, from 1
	nanos     uint64 // when it was stored
	pending   uint64 // messages that the consumer has still to hand out
}

// parseAck reads a reply subject (ADR-15), $JS.ACK.<stream>.<consumer>.<delivered>.<sequence>.<consumer sequence>.<time>.<pending>,
// or with a domain and an account before the stream and perhaps more at its end. It allocates nothing: it is read for
// every message.
func parseAck(reply string) (p position, ok bool) {
	rest, ok := strings.CutPrefix(reply, ackPrefix)
	if !ok {
		return p, false
	}
	const short, long = 7, 9 // tokens after the prefix, without and with domain and account
	switch n := strings.Count(rest, ".") + 1; {
	case n == short:
	case n >= long:
		_, rest, _ = strings.Cut(rest, ".")
		_, rest, _ = strings.Cut(rest, ".")
	default:
		return p, false
	}
	p.stream, rest, _ = strings.Cut(rest, ".")
	_, rest, _ = strings.Cut(rest, ".")
	for _, n := range [...]*uint64{&p.delivered, &p.sequence, &p.consumer, &p.nanos, &p.pending} {
		var token string
		token, rest, _ = strings.Cut(rest, ".")
		if *n, ok = parseNumber(token); !ok {
			return p, false
		}
	}
	return p, true
}

// parseNumber reads a decimal number of up to 19 digits: what fits an int64.
func parseNumber(s string) (n uint64, ok bool) {
	if s == "" || len(s) > 19 {
		return 0, false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		n = n*10 + uint64(s[i]-'0')
	}
	return n, n <= 1<<63-1
}

// message is the stored message that raw brought.
func (p position) message(raw *nats.Msg) *Message {
	return &Message{
		Subject: raw.Subject, Header: raw.Header, Body: raw.Data, Stream: p.stream, Sequence: p.sequence,
		Time: p.time(), Attempt: int(min(p.delivered, 1<<30)),
	}
}

// time is when the message was stored.
func (p position) time() time.Time {
	return time.Unix(0, int64(p.nanos)) //nolint:gosec // parseNumber bounds it
}
