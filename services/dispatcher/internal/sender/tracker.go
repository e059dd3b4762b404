package sender

import (
	"context"
	"net/http/httptrace"
	"sync/atomic"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/egress"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// tracker watches one attempt. What a connection's making took it learns from the connection, or from the error.
type tracker struct {
	start     time.Time
	hooks     httptrace.ClientTrace
	connected bool
	made      egress.Times
	// When there was a connection, the request was written and the answer began, since start; other goroutines say so.
	got, wrote, first atomic.Int64
}

func newTracker() *tracker { return &tracker{start: time.Now()} }

// watch returns a context in which a request tells t how it goes.
func (t *tracker) watch(ctx context.Context) context.Context {
	t.hooks = httptrace.ClientTrace{GotConn: t.gotConn, WroteRequest: t.wroteRequest, GotFirstResponseByte: t.gotFirstByte}
	return httptrace.WithClientTrace(ctx, &t.hooks)
}

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
		if asked == 0 || asked > first { // an answer may come before all was written
			asked = t.got.Load()
		}
		timing.FirstByteMS = ms(time.Duration(first - asked))
	}
	return timing
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
