package bench_test

import (
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// eventSize is that of each event, in bytes: a CloudEvent in JSON.
const eventSize = 1024

// publisher publishes numbered events, stamped with the time, of several types in turn.
type publisher struct {
	stack    *stack
	types    []string
	subjects []string
	event    string
	run      int64
	next     int
}

// runs tells the events of one measurement from those of another.
//
//nolint:gochecknoglobals // ids must differ over the whole process
var runs atomic.Int64

// publisher returns one of some event types.
func (s *stack) publisher(types ...string) *publisher {
	p := &publisher{
		stack: s, types: types, run: runs.Add(1),
		event: `{"specversion":"1.0","id":"%s","source":"bench","type":"%s","datacontenttype":"application/json",` +
			`"time":"` + time.Now().UTC().Format(time.RFC3339Nano) + `","data":{"n":%d,"sent":%d,"padding":"`,
	}
	for _, eventType := range types {
		p.subjects = append(p.subjects, events.Subjects{}.Event(eventType))
	}
	return p
}

// message renders the next event.
func (p *publisher) message() *nats.Msg {
	id := strconv.FormatInt(p.run, 10) + "-" + strconv.Itoa(p.next)
	turn := p.next % len(p.types)
	data := fmt.Appendf(make([]byte, 0, eventSize), p.event, id, p.types[turn], p.next, time.Now().UnixNano())
	for len(data) < eventSize-len(`"}}`) {
		data = append(data, 'x')
	}
	p.next++
	msg := nats.NewMsg(p.subjects[turn])
	msg.Data = append(data, `"}}`...)
	msg.Header[events.HeaderMsgID] = []string{id}
	msg.Header[events.HeaderContentType] = []string{events.ContentTypeCloudEvent}
	return msg
}

// publish publishes n events as fast as JetStream takes them, some hundreds on their way at a time.
func (p *publisher) publish(b *testing.B, n int) {
	b.Helper()
	for range n {
		p.publishOne(b)
	}
	p.done(b)
}

// publishAt publishes n events at a rate, open loop: the next goes out when its time has come, whatever became of the last.
func (p *publisher) publishAt(b *testing.B, perSecond, n int) {
	b.Helper()
	tick := time.NewTicker(time.Second / time.Duration(perSecond))
	defer tick.Stop()
	for range n {
		<-tick.C
		p.publishOne(b)
	}
	p.done(b)
}

func (p *publisher) publishOne(b *testing.B) {
	b.Helper()
	_, err := p.stack.js.PublishMsgAsync(p.message())
	require.NoError(b, err)
}

// done waits until everything is stored.
func (p *publisher) done(b *testing.B) {
	b.Helper()
	select {
	case <-p.stack.js.PublishAsyncComplete():
	case <-time.After(patience):
		require.Fail(b, "JetStream does not take the events")
	}
}

// custom is an event type of the benchmarks.
func custom(parts ...string) string { return "custom." + strings.Join(parts, "-") }
