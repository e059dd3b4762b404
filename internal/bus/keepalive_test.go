package bus_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// An answer ends with its end, however it ends and whatever was about to be said of it: no sign of life comes behind it.
func TestNoSignOfLifeComesBehindTheEnd(t *testing.T) {
	t.Parallel()
	const every, requests = 100 * time.Millisecond, 32
	s := bustest.Start(t, bustest.Bare())
	serve(t, s.Connect(t, "test"), bus.Operation{Name: events.OpGenerate, Workers: 4 * requests, Handler: func(_ context.Context, r *bus.Request) error {
		r.Streams()
		r.Streams()             // once is enough
		<-time.After(3 * every) // when a sign is due
		switch string(r.Body) {
		case "stream":
			return r.Send([]byte("{}"))
		case "answer":
			err := r.Respond([]byte("{}"))
			<-time.After(2 * every)
			return err
		case "panic":
			panic("the canary sings")
		default:
			return errors.New("the canary sings")
		}
	}})
	for body, end := range map[string]string{"stream": "2", "answer": "", "panic": "", "error": ""} { // the place of the end in the stream
		t.Run(body, func(t *testing.T) {
			t.Parallel()
			conn := s.Conn(t)
			subs := make([]*nats.Subscription, requests)
			for i := range subs {
				var err error
				subs[i], err = conn.SubscribeSync(conn.NewInbox())
				require.NoError(t, err)
				header := map[string][]string{events.HeaderKeepaliveMS: {"100"}}
				require.NoError(t, conn.PublishMsg(bustest.Message("mlsdm.generate", subs[i].Subject, header, []byte(body))))
			}
			signs := 0
			for _, sub := range subs {
				m, err := sub.NextMsg(20 * time.Second)
				for ; err == nil && m.Header.Get(events.HeaderKeepalive) != ""; m, err = sub.NextMsg(20 * time.Second) {
					require.Empty(t, m.Header.Get(events.HeaderSequence))
					require.NotEmpty(t, m.Reply)
					signs++
				}
				require.NoError(t, err)
				if body == "stream" {
					require.Equal(t, "1", m.Header.Get(events.HeaderSequence), "signs have no place in the stream")
					m, err = sub.NextMsg(20 * time.Second)
					require.NoError(t, err)
				}
				require.Equal(t, end, m.Header.Get(events.HeaderSequence))
			}
			require.Positive(t, signs)
			<-time.After(3 * every)
			require.NoError(t, conn.Flush())
			for _, sub := range subs {
				left, _, err := sub.Pending()
				require.NoError(t, err)
				require.Zero(t, left, "something came behind the end")
			}
		})
	}
}
