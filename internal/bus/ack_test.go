package bus

import (
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"
)

func TestParseAckAsTheClientLibraryDoes(t *testing.T) {
	t.Parallel()
	for _, reply := range []string{
		"$JS.ACK.MLSDM_EVENTS.router.3.17.5.1700000000123456789.42",
		"$JS.ACK._.ACC.MLSDM_EVENTS.router.3.17.5.1700000000123456789.42",
		"$JS.ACK.hub.ACC.MLSDM_EVENTS.router.3.17.5.1700000000123456789.42.random",
	} {
		p, ok := parseAck(reply)
		require.True(t, ok, reply)
		meta, err := (&nats.Msg{Reply: reply, Sub: &nats.Subscription{}}).Metadata()
		require.NoError(t, err)
		require.Equal(t, position{
			stream: meta.Stream, delivered: meta.NumDelivered, sequence: meta.Sequence.Stream, consumer: meta.Sequence.Consumer,
			nanos: uint64(meta.Timestamp.UnixNano()), pending: meta.NumPending,
		}, p, reply)
		require.True(t, meta.Timestamp.Equal(p.time()))
	}
}

func TestParseAckOfAnythingElse(t *testing.T) {
	t.Parallel()
	for _, reply := range []string{
		"", "_INBOX.x", "$JS.ACK", "$JS.ACK.", "$JS.ACK.......", "$JS.ACK.s.c.1.2.3.4", "$JS.ACK.s.c.1.2.3.4.5.6",
		"$JS.ACK.s.c.1.2.3.4.", "$JS.ACK.s.c.1.2.3.4.-5", "$JS.ACK.s.c.1.x.3.4.5", "$JS.ACK.s.c.1.2.3.4.99999999999999999999",
		"$JS.ACK.s.c.1.2.3.9999999999999999999.5",
	} {
		_, ok := parseAck(reply)
		require.False(t, ok, reply)
	}
}
