package bus

import (
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
)

// lane is one pull request at a time, with a subscription of its own: messages do not say which request they answer, but
// they say on which subscription they came. So the books are exact, and a request that got lost costs nothing but itself.
type lane struct {
	sub   *nats.Subscription
	inbox string
	sent  uint64
	reply string    // of the request that is at the server; empty when there is none
	left  int       // messages that it still brings
	sign  time.Time // when the server last showed that it knows of it
}

// lanes are all lanes of a puller.
type lanes struct {
	bus      *Bus
	api      string
	received chan *nats.Msg
	all      []*lane
}

// open makes n lanes.
func (l *lanes) open(n int) error {
	for range n {
		ln := &lane{}
		l.all = append(l.all, ln)
		if err := l.subscribe(ln); err != nil {
			return err
		}
	}
	return nil
}

// subscribe gives a lane a new inbox.
func (l *lanes) subscribe(ln *lane) (err error) {
	ln.inbox, ln.reply, ln.left = l.bus.nc.NewInbox(), "", 0
	ln.sub, err = l.bus.nc.ChanSubscribe(ln.inbox+".*", l.received)
	return err
}

// owed is how many messages the server has been asked for and has not sent.
func (l *lanes) owed() int {
	owed := 0
	for _, ln := range l.all {
		owed += ln.left
	}
	return owed
}

// idle returns a lane that has no request, or nil.
func (l *lanes) idle() *lane {
	for _, ln := range l.all {
		if ln.left == 0 {
			return ln
		}
	}
	return nil
}

// asked is how many requests are at the server.
func (l *lanes) asked() int {
	n := 0
	for _, ln := range l.all {
		if ln.left > 0 {
			n++
		}
	}
	return n
}

// ask sends a request for batch messages, of maxBytes together unless that is 0.
func (l *lanes) ask(ln *lane, batch int, maxBytes int64, now time.Time) error {
	ln.sent++
	reply := ln.inbox + "." + strconv.FormatUint(ln.sent, 10)
	body := fmt.Appendf(nil, `{"batch":%d,"max_bytes":%d,"expires":%d,"idle_heartbeat":%d}`, batch, maxBytes, pullExpiry.Nanoseconds(), pullHeartbeat.Nanoseconds())
	if err := l.bus.nc.PublishRequest(l.api, reply, body); err != nil {
		return err
	}
	ln.reply, ln.left, ln.sign = reply, batch, now
	return nil
}

// got books a message.
func (l *lanes) got(msg *nats.Msg, now time.Time) {
	for _, ln := range l.all {
		if ln.sub == msg.Sub { // not so when it came too late for a request that was taken for lost
			ln.left, ln.sign = max(ln.left-1, 0), now
		}
	}
}

// status books the server's word about a request: that it still knows it, or that it has ended.
func (l *lanes) status(msg *nats.Msg, ended bool, now time.Time) {
	for _, ln := range l.all {
		if ln.reply == msg.Subject {
			ln.sign = now
			if ended {
				ln.left = 0
			}
		}
	}
}

// renew gives up requests without a sign of life for longer than silence. Their lanes get new inboxes, so that nothing
// comes twice if the server knows the requests after all.
func (l *lanes) renew(now time.Time, silence time.Duration) (renewed int, err error) {
	for _, ln := range l.all {
		if ln.left == 0 || now.Sub(ln.sign) < silence {
			continue
		}
		renewed++
		// Drain, not unsubscribe: what is on its way still arrives.
		if err := ln.sub.Drain(); err != nil {
			return renewed, err
		}
		if err := l.subscribe(ln); err != nil {
			return renewed, err
		}
	}
	return renewed, nil
}

// drain ends all subscriptions, so that what the server has sent still arrives.
func (l *lanes) drain() error {
	for _, ln := range l.all {
		if ln.sub == nil {
			continue
		}
		if err := ln.sub.Drain(); err != nil {
			return err
		}
	}
	return nil
}
