// Package audit writes down who asked for which secret.
//
// Records go to the stream of audits in the background, at least once, and wait in memory while the stream cannot take them. When
// there is no more room, the newest is lost, which is counted and logged, and secrets are given on: the stream is on the bus that
// carried the request, so what hinders the one seldom spares the other, and a full disk of the broker must not stop every service
// of an installation. Who wants it otherwise alerts on mlsdm_secret_audit_records_total{outcome="lost"}.
package audit

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// KeySize is the size of an audit key, in bytes.
const KeySize = 32

const (
	room      = 32 << 10              // records that wait
	batch     = 256                   // records that are on their way at once
	company   = 10 * time.Millisecond // that a record waits for others
	retryWait = time.Second           // between two attempts to store a batch
	complain  = 10 * time.Second      // between two lines about the same
)

// Given is the outcome of an access that was allowed and had its value.
const Given = "given"

// Publisher stores messages; a [bus.Bus] does.
type Publisher interface {
	PublishAll(ctx context.Context, msgs []bus.Msg) error
}

// Log is where accesses are written down. Make one with [New]; it is safe for concurrent use.
type Log struct {
	to      Publisher
	subject string
	key     []byte
	id      string // of this process: with a count it is the id of a record
	log     *slog.Logger
	often   *rate.Limiter

	records chan events.SecretAccess
	stop    chan struct{}
	count   uint64
	failing atomic.Bool
	lost    atomic.Uint64

	outcomes *prometheus.CounterVec
}

// New returns a log whose hashes of names are made with a key of [KeySize] bytes.
func New(to Publisher, subject string, key []byte, log *slog.Logger, metrics prometheus.Registerer) (*Log, error) {
	l := &Log{
		to: to, subject: subject, key: key, id: rand.Text(), log: log, often: rate.NewLimiter(rate.Every(complain), 1),
		records: make(chan events.SecretAccess, room), stop: make(chan struct{}),
		outcomes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "mlsdm_secret_audit_records_total", Help: "Records of accesses to secrets, by what became of them: stored, or lost.",
		}, []string{"outcome"}),
	}
	waiting := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "mlsdm_secret_audit_records_waiting", Help: "Records of accesses to secrets that are not stored yet.",
	}, func() float64 { return float64(len(l.records)) })
	if metrics != nil {
		for _, c := range []prometheus.Collector{l.outcomes, waiting} {
			if err := metrics.Register(c); err != nil {
				return nil, fmt.Errorf("registering the metrics of the audit: %w", err)
			}
		}
	}
	return l, nil
}

// ParseKey reads an audit key, base64 of [KeySize] bytes. Its error holds nothing of the text.
func ParseKey(text secret.Value) ([]byte, error) {
	key, err := base64.StdEncoding.DecodeString(text.Reveal())
	if err != nil || len(key) != KeySize {
		return nil, fmt.Errorf("it is not base64 of %d bytes, as `openssl rand -base64 %d` makes them", KeySize, KeySize)
	}
	return key, nil
}

// MakeKey returns a key that is good for as long as the process runs.
func MakeKey() []byte {
	key := make([]byte, KeySize)
	_, _ = rand.Read(key) // never fails: crypto/rand ends the process instead
	return key
}

// Hash returns what stands for a name in the records: its HMAC-SHA256, in hex. Who has the key finds the records of a name; who has
// not learns no names.
func (l *Log) Hash(name string) string {
	mac := hmac.New(sha256.New, l.key)
	mac.Write([]byte(name))
	return hex.EncodeToString(mac.Sum(nil))
}

// Record writes an access down. It does not wait.
func (l *Log) Record(access events.SecretAccess) {
	select {
	case l.records <- access:
	default:
		l.lost.Add(1)
		l.outcomes.WithLabelValues("lost").Inc()
		if l.often.Allow() {
			l.log.Error("accesses to secrets are not recorded: the stream of audits takes none, and there is no more room", "lost", l.lost.Load())
		}
	}
}

// Check says that records wait because they cannot be stored.
func (l *Log) Check() error {
	if l.failing.Load() {
		return errors.New("accesses to secrets cannot be recorded now; the records wait")
	}
	return nil
}

// Close has [Log.Run] store what waits and then return. Nothing may be recorded any more.
func (l *Log) Close() { close(l.stop) }

// Run stores records until Close, and then until all are stored or ctx ends.
func (l *Log) Run(ctx context.Context) error {
	msgs := make([]bus.Msg, 0, batch)
	for {
		select {
		case access := <-l.records:
			l.linger(ctx)
			l.store(ctx, l.collect(append(msgs[:0], l.message(access))))
		case <-ctx.Done():
			return l.left()
		case <-l.stop:
			for {
				if rest := l.collect(msgs[:0]); len(rest) == 0 || !l.store(ctx, rest) {
					return l.left()
				}
			}
		}
	}
}

// linger waits for company: many records at once cost the stream, and who is waiting for a secret, less than each alone.
func (l *Log) linger(ctx context.Context) {
	timer := time.NewTimer(company)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-l.stop:
	case <-ctx.Done():
	}
}

// left says what could not be stored until the end.
func (l *Log) left() error {
	if n := len(l.records); n > 0 {
		l.outcomes.WithLabelValues("lost").Add(float64(n))
		l.log.Error("accesses to secrets were not recorded: the process ends", "lost", n)
	}
	return nil
}

// collect adds what waits, up to a batch.
func (l *Log) collect(msgs []bus.Msg) []bus.Msg {
	for len(msgs) < batch {
		select {
		case access := <-l.records:
			msgs = append(msgs, l.message(access))
		default:
			return msgs
		}
	}
	return msgs
}

// message is a record as it is stored. Sent twice, under its id, it is stored once.
func (l *Log) message(access events.SecretAccess) bus.Msg {
	l.count++
	body, err := json.Marshal(access)
	if err != nil { // texts, numbers and a time: it cannot fail, and a record without content still says that there was one
		l.log.Error("a record of an access to a secret cannot be written", "err", err)
	}
	return bus.Msg{Subject: l.subject, ID: "audit-" + l.id + "-" + strconv.FormatUint(l.count, 10), Body: body}
}

// store stores a batch, however often it has to try, and reports whether it could before ctx ended.
func (l *Log) store(ctx context.Context, msgs []bus.Msg) bool {
	for {
		for i := range msgs { // what it is given the bus keeps
			msgs[i].Header, msgs[i].GiveHeader = map[string][]string{events.HeaderContentType: {events.ContentTypeJSON}}, true
		}
		err := l.to.PublishAll(ctx, msgs)
		if err == nil {
			l.failing.Store(false)
			l.outcomes.WithLabelValues("stored").Add(float64(len(msgs)))
			return true
		}
		if ctx.Err() == nil {
			l.failing.Store(true)
			if l.often.Allow() {
				l.log.WarnContext(ctx, "accesses to secrets cannot be recorded now; the records wait", "waiting", len(l.records)+len(msgs), "err", err)
			}
			timer := time.NewTimer(retryWait)
			select {
			case <-timer.C:
				continue
			case <-ctx.Done():
				timer.Stop()
			}
		}
		l.outcomes.WithLabelValues("lost").Add(float64(len(msgs)))
		return false
	}
}
