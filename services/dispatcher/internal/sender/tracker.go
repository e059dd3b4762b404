package sender

import (
	"context"
	"net/http/httptrace"
	"sync/atomic"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/egress"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// maxConnections is how many connections one attempt asks for. The transport asks again for as long as a receiver takes
// connections and does nothing with them (GOAWAY over HTTP/2), a thousand times a second, each with a TLS handshake.
const maxConnections = 10

// tracker watches one attempt. What a connection's making took it learns from the connection, or from the error.
type tracker struct {
	start     time.Time
	hooks     httptrace.ClientTrace
	cancel    context.CancelFunc // ends the attempt
	asked     int                // for a connection, how often
	connected bool
	made      egress.Times
	// When there was a connection, the request was written and the answer began, since start; other goroutines say so.
	got, wrote, first atomic.Int64
}

func newTracker() *tracker { return &tracker{start: time.Now()} }

// watch returns a context in which a request tells t how it goes.
func (t *tracker) watch(ctx context.Context) context.Context {
	t.hooks = httptrace.ClientTrace{GetConn: t.getConn, GotConn: t.gotConn, WroteRequest: t.wroteRequest, GotFirstResponseByte: t.gotFirstByte}
	return httptrace.WithClientTrace(ctx, &t.hooks)
}

func (t *tracker) getConn(string) {
	if t.asked++; t.exhausted() {
		t.cancel()
	}
}

// exhausted reports whether the attempt was ended because the receiver takes connections and nothing else.
func (t *tracker) exhausted() bool { return t.asked > maxConnections }

func (t *tracker) gotConn(info httptrace.GotConnInfo) {
	t.got.Store(int64(time.Since(t.start)))
	if t.connected = info.Conn != nil; t.connected && !info.Reused {
		t.made = egress.TimesOf(info.Conn)
	}
}

func (t *tracker) wroteRequest(info httptrace.WroteRequestInfo) {
	if info.Err == nil {
		t.wrote.Store(int64(time.Since(t.start)))
	}
}

func (t *tracker) gotFirstByte() { t.first.Store(int64(time.Since(t.start))) }

// timing returns where the time went.
func (t *tracker) timing() events.AttemptTiming {
	timing := events.AttemptTiming{DNSMS: ms(t.made.DNS), ConnectMS: ms(t.made.Connect), TLSMS: ms(t.made.TLS)}
	if first := t.first.Load(); first > 0 {
		asked := t.wrote.Load()
		if asked == 0 || asked > first { // over HTTP/2 an answer may come before all was written
			asked = t.got.Load()
		}
		timing.FirstByteMS = ms(time.Duration(first - asked))
	}
	return timing
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
