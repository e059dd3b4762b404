package door_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/internal/door"
	"github.com/neuron7x/mlsdm-integrations/internal/door/doortest"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Reports are written into memory that is used again: none has anything of another, be it in its body, its id or its trace.
func TestReportsHaveNothingOfEachOther(t *testing.T) {
	t.Parallel()
	s := doortest.Start(t)
	opts := options(t)
	opts.Workers = 100 // no request is turned away
	doors, err := door.New(s.Server.ConnectTraced(t, "embedder", nil), opts, reply)
	require.NoError(t, err)
	s.Run(t, opts.Service, doors)
	ear := s.Listen(t, "mlsdm.events."+events.TypeRequestProcessed)
	conn := s.Server.Conn(t)
	inbox, err := conn.SubscribeSync(conn.NewInbox())
	require.NoError(t, err)
	s.Ask(t, "mlsdm.embed", []byte(`"first"`)) // the door is open
	_, err = events.ParseStructured(ear.Next(t).Body)
	require.NoError(t, err)

	const rounds, requests = 4, 100
	seen := map[string]bool{}
	for round := range rounds {
		for n := range requests {
			caller, header := fmt.Sprintf("c%d-%d%s", round, n, strings.Repeat("x", n%7*10)), map[string][]string{}
			if traced(round, n) {
				header[events.HeaderTraceParent] = []string{traceOf(round, n)}
				header[events.HeaderTraceState] = []string{fmt.Sprintf("v=%d-%d", round, n)}
			}
			require.NoError(t, conn.PublishMsg(bustest.Message("mlsdm.as."+caller+".embed", inbox.Subject, header, []byte(`"hi"`))))
		}
		for range requests {
			_, err := inbox.NextMsg(doortest.Patience)
			require.NoError(t, err)
		}
		for range requests {
			m := ear.Next(t)
			ev, err := events.ParseStructured(m.Body)
			require.NoError(t, err)
			require.Equal(t, ev.ID, m.Value(events.HeaderMsgID))
			require.False(t, seen[ev.ID], "an id that comes twice")
			seen[ev.ID] = true
			told, err := events.Decode[events.RequestProcessed](ev)
			require.NoError(t, err)
			require.False(t, seen[told.Caller], "a request that is told of twice")
			seen[told.Caller] = true
			var r, n int
			_, err = fmt.Sscanf(told.Caller, "c%d-%d", &r, &n)
			require.NoError(t, err)
			require.Equal(t, round, r)
			require.Equal(t, ev.TraceParent, m.Value(events.HeaderTraceParent))
			require.Equal(t, ev.TraceState, m.Value(events.HeaderTraceState))
			if !traced(r, n) {
				require.Empty(t, ev.TraceParent)
				require.Empty(t, ev.TraceState)
				continue
			}
			require.Equal(t, strings.Split(traceOf(r, n), "-")[1], strings.Split(ev.TraceParent, "-")[1])
			require.Equal(t, fmt.Sprintf("v=%d-%d", r, n), ev.TraceState)
		}
	}
}

// traced says which requests belong to a trace: others in each round.
func traced(round, n int) bool { return (round+n)%3 == 0 }

// traceOf is that trace.
func traceOf(round, n int) string { return fmt.Sprintf("00-%032x-%016x-01", round<<8+n+1, n+1) }

// Under a tracer each report has a span of its own, in the trace of its request.
func TestReportsBelongToTheTraceOfTheirRequest(t *testing.T) {
	t.Parallel()
	s := doortest.Start(t)
	open(t, s, options(t), reply)
	ear := s.Listen(t, "mlsdm.events."+events.TypeRequestProcessed)
	conn := s.Server.Conn(t)
	inbox, err := conn.SubscribeSync(conn.NewInbox())
	require.NoError(t, err)
	s.Ask(t, "mlsdm.embed", []byte(`"first"`)) // the door is open
	ear.Next(t)
	const requests = 20
	for n := range requests {
		header := map[string][]string{events.HeaderTraceParent: {traceOf(0, n)}}
		require.NoError(t, conn.PublishMsg(bustest.Message(fmt.Sprintf("mlsdm.as.c%d.embed", n), inbox.Subject, header, []byte(`"hi"`))))
	}
	for range requests {
		m := ear.Next(t)
		ev, err := events.ParseStructured(m.Body)
		require.NoError(t, err)
		told, err := events.Decode[events.RequestProcessed](ev)
		require.NoError(t, err)
		var n int
		_, err = fmt.Sscanf(told.Caller, "c%d", &n)
		require.NoError(t, err)
		asked, made, sent := strings.Split(traceOf(0, n), "-"), strings.Split(ev.TraceParent, "-"), strings.Split(m.Value(events.HeaderTraceParent), "-")
		require.Equal(t, asked[1], made[1])
		require.Equal(t, asked[1], sent[1])
		require.NotEqual(t, asked[2], made[2], "the event was made while the request was served")
		require.NotEqual(t, made[2], sent[2], "and sent later")
	}
}
