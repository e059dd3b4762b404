package natstrace_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"
)

// patience is for what happens at once on an idle machine.
const patience = 30 * time.Second

// start starts a server with the configuration, which is waited for when the test ends.
func start(t *testing.T, config string) *server.Server {
	t.Helper()
	o := &server.Options{}
	require.NoError(t, o.ProcessConfigString(`
		listen: 127.0.0.1:-1
		accounts: { A: { users: [ { user: a, password: a }, { user: narrow, password: a, permissions: { publish: "orders.>" } } ],
		                 msg_trace: { dest: "trace.hops", sampling: 100 } } }
		`+config))
	o.NoLog, o.NoSigs = true, true
	s, err := server.NewServer(o)
	require.NoError(t, err)
	s.Start()
	t.Cleanup(func() {
		s.Shutdown()
		s.WaitForShutdown()
	})
	require.True(t, s.ReadyForConnections(patience))
	return s
}

// connect connects as a user of the account.
func connect(t *testing.T, s *server.Server, name, user string) *nats.Conn {
	t.Helper()
	nc, err := nats.Connect(s.ClientURL(), nats.Name(name), nats.UserInfo(user, "a"), nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
	require.NoError(t, err)
	t.Cleanup(nc.Close)
	return nc
}

// listen makes spans of what servers say.
func listen(t *testing.T, nc *nats.Conn) recorded {
	t.Helper()
	r := record()
	_, err := nc.QueueSubscribe("trace.hops", "natstrace", func(m *nats.Msg) {
		if err := r.Handle(m.Data); err != nil {
			t.Errorf("%v: %s", err, m.Data)
		}
	})
	require.NoError(t, err)
	require.NoError(t, nc.FlushTimeout(patience))
	return r
}

// order is a message with the trace of a publisher.
func order(header string) *nats.Msg {
	return &nats.Msg{Subject: "orders.1", Header: nats.Header{header: {parent}, "Nats-Msg-Id": {"m-1"}}, Data: []byte("x")}
}

// eventually waits until the trace is what is wanted.
func (r recorded) eventually(t *testing.T, want string) {
	t.Helper()
	require.Eventually(t, func() bool { return r.tree() == want }, patience, 5*time.Millisecond, "want\n%s", want)
}

// What a stream does with a message, twice the same one, and what a server sends on.
func TestARealServer(t *testing.T) {
	t.Parallel()
	s := start(t, fmt.Sprintf("jetstream: { store_dir: %q }", t.TempDir()))
	account, err := s.LookupAccount("A")
	require.NoError(t, err)
	require.NoError(t, account.EnableJetStream(nil, nil))
	nc := connect(t, s, "shop", "a")
	r := listen(t, connect(t, s, "tracer", "a"))
	js, err := jetstream.New(nc)
	require.NoError(t, err)
	_, err = js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "ORDERS", Subjects: []string{"orders.>"}, Storage: jetstream.MemoryStorage})
	require.NoError(t, err)
	for _, header := range []string{"traceparent", "Traceparent"} {
		_, err = js.PublishMsg(t.Context(), order(header))
		require.NoError(t, err)
	}
	r.eventually(t, "store ORDERS\nstore ORDERS\n")
	require.NotContains(t, r.attributes(t, "store ORDERS"), "error.type")
	require.Equal(t, "shop", r.attributes(t, "store ORDERS")["messaging.nats.peer.name"])

	// What is stored says that it is not to be traced again; delivering it is no hop that the server tells of.
	stored, err := js.Stream(t.Context(), "ORDERS")
	require.NoError(t, err)
	m, err := stored.GetLastMsgForSubject(t.Context(), "orders.1")
	require.NoError(t, err)
	require.Equal(t, "trace disabled", m.Header.Get("Nats-Trace-Dest"))

	till := connect(t, s, "till", "a")
	_, err = till.QueueSubscribeSync("orders.*", "tills")
	require.NoError(t, err)
	require.NoError(t, till.FlushTimeout(patience))
	require.NoError(t, nc.PublishMsg(order("TraceParent")))
	r.eventually(t, "route orders.{id}\n  deliver orders.{id}\n  store ORDERS\nstore ORDERS\nstore ORDERS\n")
	require.Equal(t, "tills", r.attributes(t, "deliver orders.{id}")["messaging.nats.queue"])

	// Not sampled: nothing is said.
	require.NoError(t, nc.PublishMsg(&nats.Msg{Subject: "orders.2", Header: nats.Header{"traceparent": {strings.TrimSuffix(parent, "1") + "0"}}}))
	require.NoError(t, nc.PublishMsg(&nats.Msg{Subject: "orders.2", Header: nats.Header{"traceparent": {strings.Replace(parent, "00f067", "11f067", 1)}}}))
	require.Eventually(t, func() bool { return r.Counts().Spans == 4 }, patience, 5*time.Millisecond)
	require.Zero(t, r.Counts().Unsampled)
}

// The server drops what is published by who may not publish to the destination of traces: it is in the README for this reason.
func TestARealServerDropsWhatMayNotBeTraced(t *testing.T) {
	t.Parallel()
	s := start(t, "")
	till := connect(t, s, "till", "a")
	heard, err := till.SubscribeSync("orders.>")
	require.NoError(t, err)
	require.NoError(t, till.FlushTimeout(patience))
	narrow := connect(t, s, "narrow", "narrow")
	require.NoError(t, narrow.PublishMsg(order("traceparent")))
	require.NoError(t, narrow.Publish("orders.plain", nil))
	require.NoError(t, narrow.FlushTimeout(patience))
	m, err := heard.NextMsg(patience)
	require.NoError(t, err)
	require.Equal(t, "orders.plain", m.Subject, "the traced one did not come")
}

// A message goes from a leaf node to a cluster of two, and each server has its place.
func TestRealServersOfAClusterAndALeaf(t *testing.T) {
	t.Parallel()
	hub := start(t, `server_name: hub, cluster: { name: C, listen: 127.0.0.1:-1 }, leafnodes: { listen: 127.0.0.1:-1 }`)
	other := start(t, fmt.Sprintf(`server_name: other, cluster: { name: C, listen: 127.0.0.1:-1, routes: [ "nats://%s" ] }`, hub.ClusterAddr()))
	leaf := start(t, fmt.Sprintf(`server_name: leaf, leafnodes: { remotes: [ { url: "nats://a:a@127.0.0.1:%d", account: A } ] }`, leafPortOf(t, hub)))

	till := connect(t, other, "till", "a")
	_, err := till.SubscribeSync("orders.*")
	require.NoError(t, err)
	require.NoError(t, till.FlushTimeout(patience))
	r := listen(t, connect(t, hub, "tracer", "a"))
	shop := connect(t, leaf, "shop", "a")
	require.Eventually(t, func() bool { // until everybody knows of everybody's interest
		return isHeard(leaf, "orders.1") && isHeard(leaf, "trace.hops") && isHeard(other, "trace.hops")
	}, patience, 5*time.Millisecond)
	require.NoError(t, shop.PublishMsg(order("traceparent")))
	r.eventually(t, `route orders.{id}
  forward orders.{id}
    route orders.{id}
      forward orders.{id}
        route orders.{id}
          deliver orders.{id}
`)
	require.Zero(t, r.Counts().Orphans)
}

// leafPortOf is the port where leaf nodes connect.
func leafPortOf(t *testing.T, s *server.Server) int {
	t.Helper()
	z, err := s.Varz(nil)
	require.NoError(t, err)
	return z.LeafNode.Port
}

// isHeard reports whether a server knows somebody who subscribes to a subject.
func isHeard(s *server.Server, subject string) bool {
	account, err := s.LookupAccount("A")
	return err == nil && account.SubscriptionInterest(subject)
}
