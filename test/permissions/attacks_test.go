package permissions_test

import (
	"context"
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/internal/permissions"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// patience is for what happens at once on an idle machine.
const patience = 20 * time.Second

// refused fails unless the server refuses a user all of the subjects.
func refused(t *testing.T, s *bustest.Server, user, verb string, subjects ...string) {
	t.Helper()
	p := newProbe(t, s, user)
	for _, subject := range subjects {
		if verb == "publish" {
			p.publish(t, subject)
		} else {
			p.subscribe(t, subject)
		}
	}
	refusals := p.refusals(t)
	for _, subject := range subjects {
		require.True(t, refusals[verb+" "+subject], "%s may %s to %s", user, verb, subject)
	}
}

// What somebody can try who has the key of the embedder.
func TestACompromisedEmbedder(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t, bustest.Closed())
	const user = events.ServiceEmbedder
	t.Run("cannot ask for others' secrets", func(t *testing.T) {
		t.Parallel()
		refused(t, s, user, "publish", "mlsdm.as.generator.secrets.get", "mlsdm.as.client.secrets.get", "mlsdm.secrets.get", "mlsdm.as.embedder.secrets.refresh")
	})
	t.Run("cannot forge events", func(t *testing.T) {
		t.Parallel()
		refused(t, s, user, "publish", "mlsdm.events.ci.degraded", "mlsdm.events.secret.rotated", "mlsdm.events.moral_filter.accept", "mlsdm.events.custom.x")
	})
	t.Run("cannot listen to others", func(t *testing.T) {
		t.Parallel()
		refused(t, s, user, "subscribe", "_INBOX_generator.>", "_INBOX_client.>", "_INBOX.>", ">", "mlsdm.>", "mlsdm.as.*.secrets.get", "mlsdm.results.>", "$JS.API.>", "$KV.>")
	})
	t.Run("cannot answer for others", func(t *testing.T) {
		t.Parallel()
		refused(t, s, user, "subscribe", "mlsdm.generate", "mlsdm.as.*.generate", "mlsdm.as.*.secrets.get", "mlsdm.as.client.generate", "$SRV.INFO.mlsdm-secretd")
	})
	t.Run("cannot take others' work", func(t *testing.T) {
		t.Parallel()
		refused(t, s, user, "publish", "$JS.API.CONSUMER.MSG.NEXT.MLSDM_REQUESTS.generator", "$JS.API.CONSUMER.MSG.NEXT.MLSDM_EVENTS.dispatcher-router",
			"$JS.ACK.MLSDM_REQUESTS.generator.1.1.1.1.0", "$JS.API.CONSUMER.CREATE.MLSDM_REQUESTS.mine", "$JS.API.CONSUMER.CREATE.MLSDM_EVENTS.mine")
	})
	t.Run("cannot change anything", func(t *testing.T) {
		t.Parallel()
		refused(t, s, user, "publish", "$JS.API.STREAM.DELETE.MLSDM_EVENTS", "$JS.API.STREAM.PURGE.MLSDM_REQUESTS", "$JS.API.STREAM.CREATE.MINE",
			"$JS.API.STREAM.MSG.DELETE.MLSDM_REQUESTS", "$JS.API.STREAM.UPDATE.MLSDM_REQUESTS", "$JS.API.CONSUMER.DELETE.MLSDM_REQUESTS.embedder")
	})
	t.Run("cannot read others' buckets", func(t *testing.T) {
		t.Parallel()
		refused(t, s, user, "publish", "$JS.API.STREAM.MSG.GET.KV_mlsdm_endpoints", "$JS.API.DIRECT.GET.KV_mlsdm_secrets.$KV.mlsdm_secrets.x", "$KV.mlsdm_endpoints.x")
	})
}

// Who has no key, or an empty one, does not come in.
func TestNobodyComesInWithoutAKey(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t, bustest.Closed())
	for _, option := range []nats.Option{nats.Name("nobody"), nats.UserInfo("admin", ""), nats.Token("x")} {
		_, err := nats.Connect(s.URL(), option)
		require.ErrorIs(t, err, nats.ErrAuthorization)
	}
}

// The server sends to any reply subject, and so might a service: a request whose "reply" is a command. Whoever may send
// the request is not allowed the command, and yet the server itself would give it (see package permissions).
func TestAReplyIsNoCommand(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t, bustest.Closed())
	admin := adminJetStream(t, s)
	before := state(t, admin)
	commands := []string{
		"$JS.API.STREAM.DELETE.MLSDM_RESULTS", "$JS.API.STREAM.PURGE.MLSDM_DEADLETTERS", "$JS.API.STREAM.DELETE.KV_mlsdm_endpoints",
		"$JS.API.CONSUMER.DELETE.MLSDM_REQUESTS.generator", "$JS.API.STREAM.MSG.DELETE.MLSDM_DEADLETTERS",
		"$JS.API.CONSUMER.DELETE.MLSDM_EVENTS.dispatcher-router",
	}
	for user, requests := range map[string][]string{
		events.ServiceEmbedder: {
			"$JS.API.CONSUMER.MSG.NEXT.MLSDM_REQUESTS.embedder", "$JS.API.STREAM.INFO.MLSDM_EVENTS", "mlsdm.events.request.processed", "mlsdm.as.embedder.secrets.get",
		},
		events.ServiceDispatcher: {"$JS.API.CONSUMER.MSG.NEXT.MLSDM_EVENTS.dispatcher-router", "$KV.mlsdm_endpoints.x", "mlsdm.attempts.e1"},
		permissions.Client:       {"mlsdm.as.client.embed", "mlsdm.as.client.requests.embed", "mlsdm.events.custom.x", "$SRV.PING"},
	} {
		nc := s.User(t, user, nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {})) // some of it is refused right away
		for _, request := range requests {
			for _, command := range commands {
				// No message there, a status with an empty body: what deletes and purges are made of.
				require.NoError(t, nc.PublishRequest(request, command, []byte(`{"batch":1,"no_wait":true}`)))
				require.NoError(t, nc.PublishRequest(request, command, nil))
			}
		}
		require.NoError(t, nc.FlushTimeout(patience))
	}
	// A consumer that pushes to a command.
	nc := s.User(t, permissions.Client)
	for i, command := range commands {
		create, err := json.Marshal(map[string]any{"stream_name": "MLSDM_EVENTS", "config": map[string]any{
			"name": "push" + string(rune('0'+i)), "deliver_subject": command, "ack_policy": "none", "filter_subject": "mlsdm.events.custom.empty",
		}})
		require.NoError(t, err)
		answer, err := nc.Request("$JS.API.CONSUMER.CREATE.MLSDM_EVENTS.push"+string(rune('0'+i))+".mlsdm.events.custom.empty", create, patience)
		require.NoError(t, err)
		require.NotContains(t, string(answer.Data), `"error"`)
	}
	_, err := nc.Request("mlsdm.events.custom.empty", nil, patience)
	require.NoError(t, err)
	settle(t, admin)
	require.Equal(t, before, state(t, admin), "nothing is gone")
}

// settle waits until the server has done what it was asked before: the API works in turn.
func settle(t *testing.T, js jetstream.JetStream) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for range 3 {
		_, err := js.CreateStream(ctx, jetstream.StreamConfig{Name: "SETTLE", Subjects: []string{"mlsdm.settle"}, Storage: jetstream.MemoryStorage})
		require.NoError(t, err)
		_, err = js.Publish(ctx, "mlsdm.settle", nil)
		require.NoError(t, err)
		require.NoError(t, js.DeleteStream(ctx, "SETTLE"))
	}
}

// state is what there is: streams with what they were told to keep, and durable consumers.
func state(t *testing.T, js jetstream.JetStream) map[string]uint64 {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	found := map[string]uint64{}
	_, err := js.Publish(ctx, "mlsdm.deadletters.events", []byte("x"), jetstream.WithMsgID("kept"))
	require.NoError(t, err)
	list := js.ListStreams(ctx)
	for info := range list.Info() {
		found[info.Config.Name] = uint64(len(info.Config.Subjects))
		if info.Config.Name == "MLSDM_DEADLETTERS" {
			found["dead letters"] = info.State.Msgs
		}
	}
	require.NoError(t, list.Err())
	for _, c := range events.Consumers() {
		_, err := js.Consumer(ctx, events.Subjects{}.StreamName(c.Stream), c.Name)
		require.NoError(t, err, "%s is gone", c.Name)
	}
	require.Len(t, found, len(events.Streams())+len(events.Buckets())+len(events.ObjectStores())+1)
	return found
}

// adminJetStream is JetStream as the administrator has it.
func adminJetStream(t *testing.T, s *bustest.Server) jetstream.JetStream {
	t.Helper()
	js, err := jetstream.NewWithAPIPrefix(s.User(t, permissions.Admin), s.Key(t, permissions.Admin).API.Reveal())
	require.NoError(t, err)
	return js
}

// Somebody with a service's key listens wherever the server lets them, while a stack works.
func TestAnEavesdropperHearsOnlyWhatTheTableSays(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t, bustest.Closed())
	rows := readMatrix(t)
	type listener struct {
		nc    *nats.Conn
		heard chan *nats.Msg
	}
	listeners := map[string]listener{}
	for _, user := range permissions.Services() {
		nc := s.User(t, user, nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
		heard := make(chan *nats.Msg, 4096)
		for _, r := range rows {
			if slices.Contains(r.subscribe, user) { // its own: of no interest here
				continue
			}
			_, err := nc.ChanSubscribe(r.subject, heard)
			require.NoError(t, err)
		}
		require.NoError(t, nc.FlushTimeout(patience))
		listeners[user] = listener{nc, heard}
	}
	client := s.User(t, permissions.Client)
	admin := s.User(t, permissions.Admin)
	for _, r := range rows {
		nc := admin
		switch {
		case slices.Contains(r.publish, permissions.Client):
			nc = client
		case !slices.Contains(r.publish, permissions.Admin):
			continue
		}
		require.NoError(t, nc.PublishRequest(r.subject, "_INBOX_client.x", []byte("canary")))
	}
	require.NoError(t, admin.FlushTimeout(patience))
	require.NoError(t, client.FlushTimeout(patience))
	for user, l := range listeners {
		require.NoError(t, l.nc.FlushTimeout(patience)) // what the server sent before is here now
		select {
		case m := <-l.heard:
			require.Fail(t, "overheard", "%s heard %s", user, m.Subject)
		default:
		}
	}
}
