package job_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/door/doortest"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/embedder/internal/job"
)

func TestSmallAnswersHaveTheirVectorsInThem(t *testing.T) {
	t.Parallel()
	h := newHouse(t, newProvider(4))
	h.start(t)
	h.publish(t, "r1", request(t, 25))
	m := h.result(t, "r1")
	require.NoError(t, orNil(m.Err()))
	res := doortest.JSON[events.EmbeddingsResponse](t, m)
	require.Nil(t, res.Vectors)
	require.Equal(t, "list", res.Object)
	require.Equal(t, model, res.Model)
	require.Equal(t, "m/4", res.Space.ID)
	require.Equal(t, events.EmbeddingsUsage{PromptTokens: 25, TotalTokens: 25}, res.Usage)
	require.True(t, res.Data[7].Embedding.Base64)
	h.requireAll(t, res, 25)
	require.Equal(t, 3, h.provider.calls, "of ten texts each")
	report := h.Processed(t)
	require.Equal(t, 25, report.PromptTokens)
	eventually(t, func() bool { return h.stored(t) == 0 })
	eventually(t, func() bool { return h.job(t).State == events.JobDone })
	state := h.job(t)
	require.Equal(t, []int{25, 25, 0, 25}, []int{state.Total, state.Done, state.Failed, state.PromptTokens})
	require.Equal(t, []string{"r1", caller, model}, []string{state.RequestID, state.Caller, state.Model})
	require.False(t, state.Started.IsZero() || state.Updated.Before(state.Started))
}

func TestLargeAnswersAreObjects(t *testing.T) {
	t.Parallel()
	h := newHouse(t, newProvider(64))
	h.size = 500
	h.start(t)
	const texts = 20_000 // 5 MiB of vectors
	h.publish(t, "r1", request(t, texts))
	m := h.result(t, "r1")
	require.NoError(t, orNil(m.Err()))
	res := doortest.JSON[events.EmbeddingsResponse](t, m)
	require.Empty(t, res.Data)
	require.True(t, strings.HasPrefix(res.Vectors.Name, "default.r1."))
	require.EqualValues(t, texts*64*4, res.Vectors.Size)
	require.True(t, strings.HasPrefix(res.Vectors.Digest, "SHA-256="))
	h.requireAll(t, res, texts)

	whole := fmt.Appendf(nil, `{"name":%q}`, res.Vectors.Name)
	require.Equal(t, events.CodeNotFound, h.Ask(t, "mlsdm.as.somebody.embeddings.vectors", whole).Err().Code)
	forged := strings.Replace(res.Vectors.Name, "default.", "somebody.", 1)
	require.Equal(t, events.CodeNotFound, h.Ask(t, "mlsdm.as.somebody.embeddings.vectors", fmt.Appendf(nil, `{"name":%q}`, forged)).Err().Code)
	require.Equal(t, events.CodeNotFound, h.Ask(t, "mlsdm.as.somebody.embeddings.job", []byte(`{"request_id":"r1"}`)).Err().Code)
	ask := func(offset int64) doortest.Message {
		return h.Ask(t, "mlsdm.embeddings.vectors", fmt.Appendf(nil, `{"name":%q,"offset":%d}`, res.Vectors.Name, offset))
	}
	last := doortest.JSON[events.VectorsPiece](t, ask(res.Vectors.Size-3))
	require.Len(t, last.Data, 3)
	require.Empty(t, doortest.JSON[events.VectorsPiece](t, ask(res.Vectors.Size)).Data)
	require.Equal(t, events.CodeInvalidArgument, ask(res.Vectors.Size+1).Err().Code)
}

// Whatever is killed, and however often: every vector is there once and in order, and only what was on its way is paid for twice.
func TestKilledAgainAndAgain(t *testing.T) {
	t.Parallel()
	h := newHouse(t, newProvider(8))
	h.attempts = 2 // far fewer than kills: what comes forward is not given up
	h.Quick(t, events.ConsumerEmbedder, time.Second)
	gate := make(chan struct{}, 1000)
	h.provider.set(func(ctx context.Context, _ []string) (*job.Answer, error) {
		select {
		case <-gate:
			return nil, nil //nolint:nilnil // as usual
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	})
	const texts, kills, each, parallel = 1000, 16, 5, 4
	h.publish(t, "r1", request(t, texts))
	for life := range kills {
		s := h.start(t)
		for range each {
			gate <- struct{}{}
		}
		h.parts(t, uint64(each*(life+1)))
		s.kill(t)
	}
	close(gate)
	h.start(t)
	m := h.result(t, "r1")
	require.NoError(t, orNil(m.Err()))
	h.requireAll(t, doortest.JSON[events.EmbeddingsResponse](t, m), texts)
	more, asked := h.provider.paid()
	require.Equal(t, texts, asked)
	require.LessOrEqual(t, more, kills*parallel*h.size)
	h.Results().Nothing(t)
	h.Dead().Nothing(t)
}

// A shutdown does not wait for the whole request, and wastes nothing that is on its way.
func TestStopGivesTheRequestBackAtOnce(t *testing.T) {
	t.Parallel()
	h := newHouse(t, newProvider(8))
	h.attempts = 1
	begun, release := make(chan struct{}, 100), make(chan struct{})
	h.provider.set(func(context.Context, []string) (*job.Answer, error) {
		begun <- struct{}{}
		<-release
		return nil, nil //nolint:nilnil // as usual
	})
	h.publish(t, "r1", request(t, 100))
	s := h.start(t)
	for range 4 {
		<-begun
	}
	s.stop()
	close(release)
	s.end(t)
	h.provider.mu.Lock()
	require.LessOrEqual(t, h.provider.calls, 8, "no new call is made once it is known")
	h.provider.mu.Unlock()
	h.provider.set(nil)
	h.start(t)
	m := h.result(t, "r1")
	require.NoError(t, orNil(m.Err()))
	h.requireAll(t, doortest.JSON[events.EmbeddingsResponse](t, m), 100)
	more, _ := h.provider.paid()
	require.Zero(t, more)
}

func TestTextsThatCannotBeEmbedded(t *testing.T) {
	t.Parallel()
	for _, dimensions := range []int{4, 4096} { // in the answer, and as an object
		h := newHouse(t, newProvider(dimensions))
		h.provider.spoil = func(text string, item *job.Item) {
			switch n, err := strconv.Atoi(text); {
			case err == nil && n < 15, text == "33": // all of the first part
				*item = job.Item{Tokens: 1, Err: events.Errorf(events.CodeInvalidArgument, "too long: %s", strings.Repeat("x", 5000))}
			case text == "44":
				item.Truncated = &events.Truncation{Tokens: 9, Used: 5}
			}
		}
		h.start(t)
		h.publish(t, "r1", request(t, 100))
		m := h.result(t, "r1")
		require.NoError(t, orNil(m.Err()))
		res := doortest.JSON[events.EmbeddingsResponse](t, m)
		require.Equal(t, 16, res.Failed)
		require.Equal(t, 100, res.Usage.PromptTokens)
		all := h.vectors(t, res)
		items := map[int]events.Embedding{}
		for _, e := range res.Data {
			items[e.Index] = e
		}
		for i, v := range all {
			if i < 15 || i == 33 {
				require.Equal(t, events.CodeInvalidArgument, items[i].Error.Code)
				require.Less(t, len(items[i].Error.Message), 400)
				require.NotContains(t, v, float32(i+1))
				continue
			}
			require.Nil(t, items[i].Error)
			require.InDelta(t, float32(i), v[0], 0)
		}
		require.Equal(t, 5, items[44].Truncated.Used)
		if res.Vectors != nil {
			require.Len(t, items, 17)
		}
		state := h.job(t)
		require.Equal(t, 16, state.Failed)
	}
}

func TestNoTextCanBeEmbedded(t *testing.T) {
	t.Parallel()
	h := newHouse(t, newProvider(4))
	h.provider.spoil = func(_ string, item *job.Item) {
		*item = job.Item{Err: events.Errorf(events.CodeContentRejected, "not nice")}
	}
	h.start(t)
	h.publish(t, "r1", request(t, 30))
	require.Equal(t, events.CodeContentRejected, h.result(t, "r1").Err().Code)
	eventually(t, func() bool { return h.job(t).State == events.JobFailed })
}

// What passes is tried again, with what there is kept; what does not pass is the request's.
func TestFailuresThatAreNotATexts(t *testing.T) {
	t.Parallel()
	h := newHouse(t, newProvider(4))
	var failures atomic.Int32
	h.provider.spoil = func(text string, item *job.Item) {
		if text == "57" && failures.Add(1) <= 3 {
			*item = job.Item{Err: events.Errorf(events.CodeUnavailable, "overloaded")}
		}
	}
	h.attempts = 5
	h.start(t)
	h.publish(t, "r1", request(t, 100))
	m := h.result(t, "r1")
	require.NoError(t, orNil(m.Err()))
	h.requireAll(t, doortest.JSON[events.EmbeddingsResponse](t, m), 100)
	h.provider.mu.Lock()
	require.Equal(t, 4, h.provider.asked["57"])
	require.Equal(t, 1, h.provider.asked["56"], "the others of its call were answered")
	h.provider.mu.Unlock()

	h.provider.mu.Lock()
	h.provider.spoil = func(text string, item *job.Item) {
		if text == "57" {
			*item = job.Item{Err: events.Errorf(events.CodeUnauthenticated, "no such key")}
		}
	}
	h.provider.mu.Unlock()
	h.publish(t, "r2", request(t, 100))
	require.Equal(t, events.CodeUnauthenticated, h.result(t, "r2").Err().Code)
}

// Attempts count from where the work last came forward.
func TestGivenUpWhenItNoLongerComesForward(t *testing.T) {
	t.Parallel()
	h := newHouse(t, newProvider(4))
	h.attempts, h.options.Parallel = 3, 1
	var calls atomic.Int32
	h.provider.set(func(context.Context, []string) (*job.Answer, error) {
		// Every second call fails, which is every attempt after one part; after ten parts, all do.
		if n := calls.Add(1); n%2 == 0 || n > 20 {
			return nil, events.Errorf(events.CodeUnavailable, "overloaded")
		}
		return nil, nil //nolint:nilnil // as usual
	})
	h.start(t)
	h.publish(t, "r1", request(t, 200))
	require.Equal(t, events.CodeUnavailable, h.result(t, "r1").Err().Code)
	require.EqualValues(t, 23, calls.Load(), "ten parts with an attempt each, which failed, and three attempts that brought nothing")
	require.NotEmpty(t, h.Dead().Next(t).Body)
	eventually(t, func() bool { return h.job(t).State == events.JobFailed })
	state := h.job(t)
	require.Equal(t, 100, state.Done)
	require.EqualValues(t, 10, h.stored(t), "what was paid for is kept")

	calls.Store(0)
	h.provider.set(nil)
	h.publish(t, "r1", request(t, 200))
	m := h.result(t, "r1")
	require.NoError(t, orNil(m.Err()))
	h.requireAll(t, doortest.JSON[events.EmbeddingsResponse](t, m), 200)
	h.provider.mu.Lock()
	defer h.provider.mu.Unlock()
	require.Equal(t, 1, h.provider.asked["0"])
	require.Equal(t, 1, h.provider.asked["199"])
}

// Vectors of two models never come together.
func TestTheModelChangesMeanwhile(t *testing.T) {
	t.Parallel()
	h := newHouse(t, newProvider(4))
	h.options.Parallel = 1
	var calls atomic.Int32
	h.provider.set(func(_ context.Context, texts []string) (*job.Answer, error) {
		if calls.Add(1) < 3 {
			return nil, nil //nolint:nilnil // as usual
		}
		answer := job.Answer{Model: "house/other", Space: events.EmbeddingSpace{ID: "other/4", Model: "other", Dimensions: 4}}
		for range texts {
			answer.Items = append(answer.Items, job.Item{Vector: make([]float32, 4)})
		}
		return &answer, nil
	})
	h.start(t)
	h.publish(t, "r1", request(t, 100))
	require.Equal(t, events.CodeFailedPrecondition, h.result(t, "r1").Err().Code)
	require.EqualValues(t, 3, calls.Load(), "nothing more is paid for")
}

// Another request under the same id gets nothing of the first.
func TestPartsAreOfOneRequest(t *testing.T) {
	t.Parallel()
	h := newHouse(t, newProvider(4))
	h.attempts, h.options.Parallel = 1, 1
	var calls atomic.Int32
	h.provider.set(func(context.Context, []string) (*job.Answer, error) {
		if calls.Add(1) > 2 {
			return nil, events.Errorf(events.CodeUnavailable, "overloaded")
		}
		return nil, nil //nolint:nilnil // as usual
	})
	h.start(t)
	h.publish(t, "r1", request(t, 100))
	require.Equal(t, events.CodeUnavailable, h.result(t, "r1").Err().Code)
	require.EqualValues(t, 2, h.stored(t))
	h.provider.set(nil)
	var other events.EmbeddingsRequest
	for i := range 100 {
		other.Input = append(other.Input, strconv.Itoa(1000+i))
	}
	body, err := json.Marshal(other)
	require.NoError(t, err)
	h.publish(t, "r1", body)
	m := h.result(t, "r1")
	require.NoError(t, orNil(m.Err()))
	for i, v := range h.vectors(t, doortest.JSON[events.EmbeddingsResponse](t, m)) {
		require.InDelta(t, float32(1000+i), v[0], 0)
	}
}

// TestPartsAreMadeInOneWay: what was made with other settings is made anew.
func TestPartsAreMadeInOneWay(t *testing.T) {
	t.Parallel()
	h := newHouse(t, newProvider(4))
	h.attempts, h.options.Parallel = 1, 1
	var calls atomic.Int32
	h.provider.set(func(_ context.Context, texts []string) (*job.Answer, error) {
		if calls.Add(1) > 2 {
			return nil, events.Errorf(events.CodeUnavailable, "overloaded")
		}
		answer := &job.Answer{Model: "house/m", Space: events.EmbeddingSpace{ID: "m/4", Model: "m", Dimensions: 4}}
		for range texts {
			answer.Items = append(answer.Items, job.Item{Vector: []float32{-1, -1, -1, -1}})
		}
		return answer, nil
	})
	service := h.start(t)
	h.publish(t, "r1", request(t, 100))
	require.Equal(t, events.CodeUnavailable, h.result(t, "r1").Err().Code)
	require.EqualValues(t, 2, h.stored(t))
	service.end(t)
	h.provider.set(nil)
	h.making = "another prefix"
	h.start(t)
	h.publish(t, "r1", request(t, 100))
	m := h.result(t, "r1")
	require.NoError(t, orNil(m.Err()))
	for i, v := range h.vectors(t, doortest.JSON[events.EmbeddingsResponse](t, m)) {
		require.InDelta(t, float32(i), v[0], 0)
	}
}

// A part that is damaged, or that somebody has removed, is made anew, and only that.
func TestPartsThatAreLost(t *testing.T) {
	t.Parallel()
	h := newHouse(t, newProvider(4))
	s := h.Bus.Subjects()
	var once sync.Once
	h.provider.set(func(_ context.Context, texts []string) (*job.Answer, error) {
		if texts[0] != "90" {
			return nil, nil //nolint:nilnil // as usual
		}
		once.Do(func() { // all others are there
			h.parts(t, 9)
			subjects, err := h.Bus.StreamSubjects(t.Context(), "MLSDM_PARTS", s.Part("", "r1", "*"))
			require.NoError(t, err)
			for _, subject := range subjects {
				switch {
				case strings.Contains(subject, "-20-10-"):
					_, err = h.Bus.Purge(t.Context(), "MLSDM_PARTS", subject)
				case strings.Contains(subject, "-40-10-"):
					var m *bus.Message
					m, err = h.Bus.LastOn(t.Context(), "MLSDM_PARTS", subject)
					require.NoError(t, err)
					m.Body[70] ^= 1
					_, err = h.Bus.Publish(t.Context(), bus.Msg{Subject: subject, Body: m.Body})
				}
				require.NoError(t, err)
			}
		})
		return nil, nil //nolint:nilnil // as usual
	})
	h.start(t)
	h.publish(t, "r1", request(t, 100))
	m := h.result(t, "r1")
	require.NoError(t, orNil(m.Err()))
	h.requireAll(t, doortest.JSON[events.EmbeddingsResponse](t, m), 100)
	more, _ := h.provider.paid()
	require.Equal(t, 20, more)
}

// A call may bring more than one message holds.
func TestPartsAreNotLargerThanAMessage(t *testing.T) {
	t.Parallel()
	h := newHouse(t, newProvider(4096))
	h.size = 2048 // 32 MiB at the most
	h.start(t)
	h.publish(t, "r1", request(t, 600))
	m := h.result(t, "r1")
	require.NoError(t, orNil(m.Err()))
	require.Equal(t, 1, h.provider.calls)
	h.requireAll(t, doortest.JSON[events.EmbeddingsResponse](t, m), 600)
}
