package e2e_test

import (
	"maps"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// TestServicesKilledAtAnyMoment kills ciwatch and the dispatcher in the middle of their work, again and again. Every event
// reaches the receiver, and CI's are told once.
func TestServicesKilledAtAnyMoment(t *testing.T) {
	t.Parallel()
	const lives, batch = 7, 40
	random := seeded(t)
	srv := bustest.Start(t)
	u := connect(t, srv.URL())
	u.hurry(t, time.Second)
	gh, to := newGitHub(t), newReceiver(t, balky)
	common := map[string]string{"NATS_URL": srv.URL(), "MLSDM_ADMIN_ADDR": "off"}
	dispatcherEnv, ciwatchEnv := to.env(">"), gh.env()
	maps.Copy(dispatcherEnv, common)
	maps.Copy(ciwatchEnv, common)
	told := make(chan *nats.Msg, 1000)
	_, err := u.nc.ChanSubscribe("mlsdm.events.ci.>", told)
	require.NoError(t, err)
	require.NoError(t, u.nc.Flush())
	p := u.publisher(t)

	// A success after each three failures: each life of ciwatch finds two events or three to tell, and dies after one of them.
	gh.AddRun("success")
	for life := range lives - 1 {
		dispatcher, ciwatch := start(t, "dispatcher", dispatcherEnv), start(t, "ciwatch", ciwatchEnv)
		p.publish(batch)
		before, _ := to.all()
		if life%3 == 2 {
			ciwatch.KillAfter(upTo(random, 300*time.Millisecond))
			dispatcher.KillAfter(upTo(random, 100*time.Millisecond))
			continue
		}
		addThreeFailures(gh)
		u.forget(t, told)
		go func() { _, _ = u.nc.Request("mlsdm.ci.check", nil, time.Second) }() // nobody may be there to answer
		select {
		case <-told:
		case <-time.After(patience):
			require.Fail(t, "ciwatch tells nothing")
		}
		ciwatch.KillAfter(upTo(random, 5*time.Millisecond))
		n := random.IntN(batch) + 1
		to.await(t, "nothing is delivered", func(hooks []hook) bool { return len(hooks) >= len(before)+n })
		dispatcher.KillAfter(upTo(random, 5*time.Millisecond))
	}
	start(t, "dispatcher", dispatcherEnv)
	start(t, "ciwatch", ciwatchEnv)
	p.publish(batch)
	u.ask(t, "mlsdm.ci.check", "{}")
	requireDelivered(t, u, to, p.finish(t))
	requireToldOnce(t, gh, u.events(t))
}

// forget drops what was told so far.
func (u user) forget(t *testing.T, told <-chan *nats.Msg) {
	t.Helper()
	require.NoError(t, u.nc.FlushTimeout(patience))
	for len(told) > 0 {
		<-told
	}
}

// addThreeFailures adds a time of bad health that ends.
func addThreeFailures(gh github) {
	for range 3 {
		gh.AddRun("failure")
	}
	gh.AddRun("success")
}

// requireDelivered checks that what is in the stream has arrived.
func requireDelivered(t *testing.T, u user, to *receiver, acked map[string]bool) {
	t.Helper()
	all := u.events(t)
	ids := map[string]bool{}
	for _, ev := range all {
		require.False(t, ids[ev.ID], "%s stands twice in the stream", ev.ID)
		ids[ev.ID] = true
	}
	for id := range acked {
		require.True(t, ids[id], "%s was acked, and is not in the stream", id)
	}
	types := map[string]string{}
	for _, ev := range all {
		types[ev.ID] = ev.Type
	}
	hooks := to.await(t, "some events never arrived", func(hooks []hook) bool {
		arrived := map[string]bool{}
		for _, h := range hooks {
			arrived[h.ID] = true
		}
		return len(arrived) >= len(ids)
	})
	for _, h := range hooks {
		require.Equal(t, types[h.ID], h.Type, "the webhook-id is the id of the event")
	}
	t.Logf("%d events arrived in %d requests", len(ids), len(hooks))
	u.settled(t)
}

// requireToldOnce checks that each change of health is told once. What was green again when it was seen was not recovered.
func requireToldOnce(t *testing.T, gh github, all []events.Event) {
	t.Helper()
	want := map[string]int{}
	for _, run := range gh.Runs() {
		if run.Conclusion == "failure" {
			want[events.TypeCIRunFailed]++
		}
	}
	episodes := want[events.TypeCIRunFailed] / 3
	want[events.TypeCIDegraded], want[events.TypeCIRecovered] = episodes, episodes
	got := tally(all)
	require.LessOrEqual(t, got[events.TypeSystemRecoveryTriggered], episodes)
	delete(got, numberedType)
	delete(got, events.TypeSystemRecoveryTriggered)
	require.Equal(t, want, got)
}
