package bus

import (
	"context"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"
)

func TestReadAck(t *testing.T) {
	t.Parallel()
	o := &outbox{}
	for data, want := range map[string]Ack{
		`{"stream":"MLSDM_EVENTS","seq":42}`:                                 {Stream: "MLSDM_EVENTS", Sequence: 42},
		`{"stream":"MLSDM_EVENTS", "seq":42}`:                                {Stream: "MLSDM_EVENTS", Sequence: 42},
		`{"stream":"MLSDM_EVENTS","seq":42,"duplicate": true}`:               {Stream: "MLSDM_EVENTS", Sequence: 42, Duplicate: true},
		`{"stream":"MLSDM_EVENTS","domain":"hub","seq":7}`:                   {Stream: "MLSDM_EVENTS", Sequence: 7},
		`{"type":"io.nats.pub_ack","stream":"A\\u0042","seq":7,"batch":"x"}`: {Stream: "A\\u0042", Sequence: 7},
		`{"stream":"A\u0042","seq":7}`:                                       {Stream: "AB", Sequence: 7},
		`{"stream":"MLSDM_LIMITS","seq":9,"val":"-7"}`:                       {Stream: "MLSDM_LIMITS", Sequence: 9, value: "-7"},
		`{"stream":"MLSDM_LIMITS","seq":9, "val":"7"}`:                       {Stream: "MLSDM_LIMITS", Sequence: 9, value: "7"},
	} {
		ack, err := o.read(&nats.Msg{Data: []byte(data)})
		require.NoError(t, err, data)
		require.Equal(t, want, ack, data)
	}
	for _, data := range []string{``, `+OK`, `{}`, `{"stream":"","seq":1}`, `{"stream":"A","seq":}`, `{"stream":"A","seq":1`, `{"stream":"A","seq":-1}`, `{"stream":"A","seq":"1"}`, `{"stream":"A","seq":1,"val":"}`, `{"stream":"A","seq":1,"val":7}`} {
		_, err := o.read(&nats.Msg{Data: []byte(data)})
		require.ErrorIs(t, err, jetstream.ErrInvalidJSAck, data)
	}
	_, err := o.read(&nats.Msg{Header: nats.Header{"Status": {"503"}}})
	require.ErrorIs(t, err, nats.ErrNoResponders)
	_, err = o.read(&nats.Msg{Data: []byte(`{"error":{"code":400,"err_code":10071,"description":"wrong last sequence"},"stream":"A","seq":0}`)})
	var api *jetstream.APIError
	require.ErrorAs(t, err, &api)
	require.Equal(t, jetstream.JSErrCodeStreamWrongLastSequence, api.ErrorCode)
	for _, data := range []string{`{"stream":"MLSDM_EVENTS","seq":42}`, `{"stream":"MLSDM_LIMITS","seq":9,"val":"-7"}`} {
		_, _, _, plain := plainAck([]byte(data))
		require.True(t, plain, data)
	}
}

func TestOutboxGivesUpInTime(t *testing.T) {
	t.Parallel()
	o := &outbox{room: make(chan struct{}, 2), waiting: make(map[uint64]*receipt)}
	r := &receipt{number: 7, done: make(chan struct{}, 1)}
	o.room <- struct{}{}
	o.waiting[r.number] = r
	const age = 3
	for range age {
		o.giveUp(age, context.DeadlineExceeded)
		require.Empty(t, r.done)
	}
	o.giveUp(age, context.DeadlineExceeded)
	<-r.done
	require.ErrorIs(t, r.err, context.DeadlineExceeded)
	require.Empty(t, o.waiting)
	require.Empty(t, o.room, "its place is free")
	require.False(t, o.forget(r))
}
