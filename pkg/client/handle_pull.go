package client

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
)

// Timings of the pulling of durable handlers, beside those of the reading.
const (
	pullSilence = 3 * pullHeartbeat      // without a sign of the server for so long, a request is taken for lost
	pullPause   = 500 * time.Millisecond // after the server refused a request
)

// puller asks a durable consumer for messages: one request at a time, for no more than can be handled at once. The NATS
// client's own reading fetches ahead; what is fetched waits for nothing, runs out of time and is handled twice.
type puller struct {
	nc       *nats.Conn
	api      string
	received chan *nats.Msg
	sub      *nats.Subscription
	inbox    string
	sent     uint64
	left     int       // messages that the request still brings; 0 when there is none
	sign     time.Time // when the server last showed that it knows of it
	pause    time.Time // no asking before this time
}

func newPuller(nc *nats.Conn, stream, consumer string, concurrency int) (*puller, error) {
	p := &puller{
		nc: nc, api: "$JS.API.CONSUMER.MSG.NEXT." + stream + "." + consumer,
		received: make(chan *nats.Msg, 4*concurrency+64), // and for what a lost request may still send
	}
	return p, p.subscribe()
}

// subscribe takes a new inbox.
func (p *puller) subscribe() (err error) {
	p.inbox, p.left = p.nc.NewInbox(), 0
	p.sub, err = p.nc.ChanSubscribe(p.inbox+".*", p.received)
	return err
}

// ask sends a request for n messages, when it is time for one.
func (p *puller) ask(n int) error {
	now := time.Now()
	if n < 1 || p.left > 0 || now.Before(p.pause) || !p.nc.IsConnected() {
		return nil
	}
	p.sent++
	body := fmt.Appendf(nil, `{"batch":%d,"expires":%d,"idle_heartbeat":%d}`, n, pullExpiry.Nanoseconds(), pullHeartbeat.Nanoseconds())
	if err := p.nc.PublishRequest(p.api, p.inbox+"."+strconv.FormatUint(p.sent, 10), body); err != nil {
		return err
	}
	p.left, p.sign = n, now
	return nil
}

// renew gives up the request, unless the server showed less than silence ago that it knows of it. A new inbox makes sure
// that nothing comes for it later.
func (p *puller) renew(silence time.Duration) error {
	if p.left == 0 || time.Since(p.sign) < silence {
		return nil
	}
	if err := p.sub.Drain(); err != nil { // not unsubscribe: what is on its way still arrives
		return err
	}
	return p.subscribe()
}

// What arrived.
const (
	pulledMessage = iota
	pulledStatus  // the server's word about a request, of no further interest
	pulledDeleted // the consumer is gone
	pulledNobody  // nobody serves the consumer now
)

// sort tells messages from what the server says about a request, and keeps the books.
func (p *puller) sort(msg *nats.Msg) int {
	current := msg.Sub == p.sub
	if strings.HasPrefix(msg.Reply, "$JS.ACK.") {
		if current {
			p.left, p.sign = max(p.left-1, 0), time.Now()
		}
		return pulledMessage
	}
	status, what := msg.Header.Get("Status"), pulledStatus
	if status == "409" && strings.Contains(strings.ToLower(msg.Header.Get("Description")), "consumer deleted") {
		what = pulledDeleted
	}
	if status == "503" {
		what = pulledNobody
	}
	if !current || !strings.HasSuffix(msg.Subject, "."+strconv.FormatUint(p.sent, 10)) {
		return what
	}
	p.sign = time.Now()
	if status != "100" { // a heartbeat
		p.left = 0
	}
	if status != "100" && status != "404" && status != "408" { // the request did not just end
		p.pause = time.Now().Add(pullPause)
	}
	return what
}
