package bench_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/test/process"
)

// Names of the ways to a model.
const (
	wayDirect = "direct: net/http"
	wayFloor  = "floor: NATS responder that forwards"
	wayOurs   = "generator"
	wayQuiet  = "generator without request.processed"
)

// way is one way to the model server. ask asks once; worker says which of those who ask at the same time asks.
type way struct {
	name string
	by   *process.Process // whose CPU and memory is looked at; nil: nobody's
	ask  func(worker int) error
}

// kind is what is asked for.
type kind struct {
	provider string // of the generator's
	subject  string // of the floor
	path     string // of the model server
	stream   bool
}

// Kinds of requests.
//
//nolint:gochecknoglobals // a constant of a type that cannot be one
var (
	kindNow    = kind{provider: "now", subject: "floor.now"}
	kindLate   = kind{provider: "late", subject: "floor." + modelWait, path: "/after/" + modelWait}
	kindStream = kind{provider: "now", subject: "floor.now", stream: true}
)

// ways are all ways of asking for one kind of answers.
func (m *models) ways(b *testing.B, k kind) []*way {
	b.Helper()
	body := chatRequest(k.provider, k.stream)
	over := func(name string, by *process.Process, subject string) *way {
		w := &way{name: name, by: by, ask: func(worker int) error { return once(m.conns[worker%len(m.conns)], subject, body) }}
		if k.stream {
			w.ask = m.streams(b, subject, body)
		}
		require.NoError(b, w.ask(0), "%s", name)
		return w
	}
	direct := &way{name: wayDirect, ask: func(int) error { return m.direct(k, body) }}
	require.NoError(b, direct.ask(0))
	return []*way{
		direct, over(wayFloor, m.floor, k.subject), over(wayOurs, m.ours, events.DefaultPrefix+".generate"), over(wayQuiet, m.quiet, "quiet.generate"),
	}
}

// once sends one request and checks its answer.
func once(nc *nats.Conn, subject string, body []byte) error {
	answer, err := nc.Request(subject, body, patience)
	if err != nil {
		return err
	}
	return checked(answer)
}

// checked looks whether a message is an error.
func checked(msg *nats.Msg) error {
	if code := msg.Header.Get(events.HeaderErrorCode); code != "" {
		return fmt.Errorf("%s: %s", code, msg.Data)
	}
	return nil
}

// leastChunks is what a reader sees at the least of a stream: the first may say nothing, and the last only count.
const leastChunks = 20

// streams asks for streams, each worker with an inbox of its own.
func (m *models) streams(b *testing.B, subject string, body []byte) func(worker int) error {
	b.Helper()
	subs := make([]*nats.Subscription, modelConnections)
	for i, nc := range m.conns {
		sub, err := nc.SubscribeSync(nats.NewInbox())
		require.NoError(b, err)
		b.Cleanup(func() { _ = sub.Unsubscribe() }) // the connection is closed next
		subs[i] = sub
	}
	return func(worker int) error {
		sub := subs[worker]
		if err := m.conns[worker].PublishRequest(subject, sub.Subject, body); err != nil {
			return err
		}
		for n := 0; ; n++ {
			msg, err := sub.NextMsg(patience)
			if err != nil {
				return err
			}
			if err := checked(msg); err != nil {
				return err
			}
			if len(msg.Data) == 0 {
				return enough(n)
			}
		}
	}
}

func enough(n int) error {
	if n < leastChunks {
		return fmt.Errorf("a stream of %d chunks", n)
	}
	return nil
}

// direct asks the model server itself.
func (m *models) direct(k kind, body []byte) error {
	resp, err := m.http.Post(m.url+k.path+"/v1/chat/completions", events.ContentTypeJSON, bytes.NewReader(body)) //nolint:noctx // it ends with the server
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return errors.New(resp.Status)
	}
	if !k.stream {
		_, err = io.Copy(io.Discard, resp.Body)
		return err
	}
	n := 0
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		if bytes.HasPrefix(lines.Bytes(), []byte("data: ")) {
			n++
		}
	}
	return enough(n)
}
