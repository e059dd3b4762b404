package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/test/process"
)

// TestUpKilledAtAnyMoment kills the whole stack, server included, again and again while somebody publishes. What JetStream
// acked reaches the receiver.
func TestUpKilledAtAnyMoment(t *testing.T) {
	t.Parallel()
	const lives, batch = 7, 60
	random := seeded(t)
	to := newReceiver(t, balky)
	env, addr, data := to.env("custom.>"), process.FreeAddr(t), t.TempDir()
	env["NATS_URL"] = "nats://127.0.0.1:1" // of no concern to up
	up := func() *process.Process {
		return start(t, "mlsdmctl", env, "up", "--addr", addr, "--data", data, "--admin-addr", "off")
	}
	u := connect(t, "nats://"+addr)
	p := u.publisher(t)

	for life := range lives - 1 {
		stack := up()
		p.publish(batch)
		if life%3 == 0 { // while it starts, the first time on an empty folder
			stack.KillAfter(upTo(random, 200*time.Millisecond))
			continue
		}
		p.awaitAcks(t, random.IntN(batch)+1)
		stack.KillAfter(upTo(random, 30*time.Millisecond))
	}
	up()
	p.publish(batch)
	u.hurry(t, time.Second)
	acked := p.finish(t)
	require.Len(t, acked, lives*batch)
	requireAll(t, to, acked)
	u.settled(t)
}

// seeded returns a source of random moments. Its seed is in the log.
func seeded(t *testing.T) *rand.Rand {
	t.Helper()
	seed := rand.Uint64()
	t.Logf("the seed is %d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// upTo returns a random time below d.
func upTo(random *rand.Rand, d time.Duration) time.Duration {
	return time.Duration(random.Int64N(int64(d)))
}

// balky refuses some first tries.
func balky(got hook) int {
	if got.Try == 1 && len(got.ID) > 0 && got.ID[len(got.ID)-1] == '7' {
		return http.StatusServiceUnavailable
	}
	return http.StatusNoContent
}

// requireAll waits until every event has arrived, and checks that an event has one webhook-id, its own.
func requireAll(t *testing.T, to *receiver, ids map[string]bool) {
	t.Helper()
	hooks := to.await(t, "some acked events never arrived", func(hooks []hook) bool {
		missing := maps.Clone(ids)
		for _, h := range hooks {
			if balky(h) == http.StatusNoContent {
				delete(missing, h.ID)
			}
		}
		return len(missing) == 0
	})
	t.Logf("%d events arrived in %d requests", len(ids), len(hooks))
	for _, h := range hooks {
		var data struct {
			ID string `json:"id"`
		}
		require.NoError(t, json.Unmarshal(h.Data, &data))
		require.Equal(t, data.ID, h.ID, "%s", h.Body)
	}
}

// publisher publishes numbered events, each until it is acked.
type publisher struct {
	ids   chan string
	acks  chan string
	next  int
	acked map[string]bool
	stop  func()
}

// publisher starts one.
func (u user) publisher(t *testing.T) *publisher {
	t.Helper()
	const atOnce = 4
	p := &publisher{ids: make(chan string, 10_000), acks: make(chan string, 10_000), acked: map[string]bool{}}
	ctx, cancel := context.WithCancel(t.Context())
	var group sync.WaitGroup
	for range atOnce {
		group.Go(func() {
			for {
				select {
				case id := <-p.ids:
					if u.publish(ctx, id) {
						p.acks <- id
					}
				case <-ctx.Done():
					return
				}
			}
		})
	}
	p.stop = func() {
		cancel()
		group.Wait()
	}
	t.Cleanup(p.stop)
	return p
}

// numberedType is the type of the events that a publisher publishes.
const numberedType = "custom.numbered"

// publish publishes one event until it is acked, or reports that ctx has ended before.
func (u user) publish(ctx context.Context, id string) bool {
	msg := nats.NewMsg("mlsdm.events." + numberedType)
	msg.Header.Set(nats.MsgIdHdr, id)
	msg.Data = fmt.Appendf(nil, `{"id":%q}`, id)
	for {
		try, cancel := context.WithTimeout(ctx, 2*time.Second)
		_, err := u.js.PublishMsg(try, msg, jetstream.WithRetryAttempts(0))
		cancel()
		if err == nil {
			return true
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			return false
		}
	}
}

// publish has n more events published.
func (p *publisher) publish(n int) {
	for range n {
		p.next++
		p.ids <- fmt.Sprintf("numbered-%04d", p.next)
	}
}

// awaitAcks waits until n more events are acked.
func (p *publisher) awaitAcks(t *testing.T, n int) {
	t.Helper()
	for range n {
		select {
		case id := <-p.acks:
			p.acked[id] = true
		case <-time.After(patience):
			require.Fail(t, "events are not acked")
		}
	}
}

// finish waits until everything is acked, and returns the ids.
func (p *publisher) finish(t *testing.T) map[string]bool {
	t.Helper()
	p.awaitAcks(t, p.next-len(p.acked))
	p.stop()
	return p.acked
}
