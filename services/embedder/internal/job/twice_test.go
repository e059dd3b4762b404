package job_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/door/doortest"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/embedder/internal/job"
)

// A request that is handed out again, while whoever was at it still is, is not embedded twice.
func TestHandedOutTwiceInOneProcess(t *testing.T) {
	t.Parallel()
	h := newHouse(t, newProvider(4))
	begun, release := make(chan struct{}, 100), make(chan struct{})
	h.provider.set(func(context.Context, []string) (*job.Answer, error) {
		begun <- struct{}{}
		<-release
		return nil, nil //nolint:nilnil // as usual
	})
	h.start(t)
	body := request(t, 40)
	h.publish(t, "r1", body)
	for range 4 {
		<-begun
	}
	h.publish(t, "r1", body)
	eventually(t, func() bool {
		_, unacked, err := h.Bus.Backlog(t.Context(), "MLSDM_REQUESTS", events.ConsumerEmbedder)
		require.NoError(t, err)
		return unacked == 2
	})
	close(release)
	for range 2 {
		m := h.result(t, "r1")
		require.NoError(t, orNil(m.Err()))
		h.requireAll(t, doortest.JSON[events.EmbeddingsResponse](t, m), 40)
	}
	more, _ := h.provider.paid()
	require.Zero(t, more)
}

// A panic is a failure of the request, and of nothing else.
func TestPanicOfAnEmbedder(t *testing.T) {
	t.Parallel()
	h := newHouse(t, newProvider(4))
	h.attempts = 2
	h.provider.set(func(_ context.Context, texts []string) (*job.Answer, error) {
		if texts[0] == "10" {
			panic("no such text")
		}
		return nil, nil //nolint:nilnil // as usual
	})
	h.start(t)
	h.publish(t, "r1", request(t, 30))
	require.Equal(t, events.CodeInternal, h.result(t, "r1").Err().Code)
	h.provider.set(nil)
	h.publish(t, "r2", request(t, 30))
	require.NoError(t, orNil(h.result(t, "r2").Err()))
}

// How far a request has come is told while it is worked on, and from where it was after a crash.
func TestProgressIsTold(t *testing.T) {
	t.Parallel()
	h := newHouse(t, newProvider(4))
	h.options.Parallel = 1
	h.Quick(t, events.ConsumerEmbedder, time.Second)
	gate := make(chan struct{}, 100)
	h.provider.set(func(ctx context.Context, _ []string) (*job.Answer, error) {
		select {
		case <-gate:
			return nil, nil //nolint:nilnil // as usual
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	})
	s := h.start(t)
	h.publish(t, "r1", request(t, 100))
	h.parts(t, 0)
	gate <- struct{}{}
	gate <- struct{}{}
	h.parts(t, 2)
	eventually(t, func() bool {
		m := h.Ask(t, "mlsdm.embeddings.job", []byte(`{"request_id":"r1"}`))
		return m.Err() == nil && doortest.JSON[events.EmbeddingsJob](t, m).Done == 20
	})
	before := h.job(t)
	require.Equal(t, events.JobRunning, before.State)
	require.Equal(t, 20, before.PromptTokens)
	s.kill(t)
	h.start(t)
	gate <- struct{}{}
	eventually(t, func() bool { return h.job(t).Done == 30 })
	after := h.job(t)
	require.Equal(t, before.Started, after.Started)
	require.Equal(t, 30, after.PromptTokens)
	close(gate)
	require.NoError(t, orNil(h.result(t, "r1").Err()))
}
