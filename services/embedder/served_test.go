package embedder_test

import (
	"encoding/json"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/door/doortest"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// oneTEI is a text-embeddings-inference.
const oneTEI = `providers: {tei: {base_url: "$tei", retries: 3}}`

// refusedUntil asks tei/m until the answer is an error of a code, and returns what it says: connections that were closed may be tried
// first.
func (r *rig) refusedUntil(t *testing.T, code events.Code, text string, fields ...any) (says string) {
	t.Helper()
	require.Eventually(t, func() bool {
		e := r.Ask(t, interactive, body(t, "tei/m", []string{text}, fields...)).Err()
		if e != nil {
			says = e.Message
		}
		return e != nil && e.Code == code
	}, 30*time.Second, 20*time.Millisecond)
	return says
}

// TestAServerWithAnotherModel of as many dimensions is refused until the operator agrees, and nothing of before is mixed with what comes.
func TestAServerWithAnotherModel(t *testing.T) {
	t.Parallel()
	for name, fields := range map[string][]any{"own length": nil, "shorter": {"dimensions", 4}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			redis := miniredis.RunT(t)
			r.start(t, oneTEI, map[string]string{"REDIS_URL": "redis://" + redis.Addr()})
			m := r.model(t, "tei")
			told := r.Listen(t, "mlsdm.events."+events.TypeEmbeddingSpaceChanged)
			r.embed(t, "tei/m", []string{"a"}, fields...)
			r.embed(t, "tei/m", []string{"a"}, fields...)
			require.Len(t, m.requests(), 1, "it is kept")

			m.restarts("other")
			says := r.refusedUntil(t, events.CodeFailedPrecondition, "b", fields...)
			require.Contains(t, says, `"other"`)
			require.Contains(t, says, "mlsdmctl spaces accept tei/m")
			var event events.EmbeddingSpaceChanged
			require.NoError(t, json.Unmarshal(doortest.JSON[events.Event](t, told.Next(t)).Data, &event))
			require.Equal(t, "m", event.PinnedModel)
			require.Equal(t, "other", event.SeenModel)
			require.Equal(t, "tei/m", event.Model)

			before := len(m.requests())
			r.embed(t, "tei/m", []string{"a"}, fields...)
			require.Len(t, m.requests(), before, "what is kept is of the model that is agreed to")
			res := r.embed(t, "tei/m", []string{"a", "b"}, fields...)
			require.Equal(t, 1, res.Failed)
			require.Equal(t, events.CodeFailedPrecondition, res.Data[1].Error.Code)

			r.accept(t, "tei/m", 0)
			require.Eventually(t, func() bool {
				return r.Ask(t, interactive, body(t, "tei/m", []string{"c"}, fields...)).Err() == nil
			}, 30*time.Second, 20*time.Millisecond)
			before = len(m.requests())
			r.embed(t, "tei/m", []string{"a"}, fields...)
			require.Len(t, m.requests(), before+1, "what was kept of the other model is not used")
			r.embed(t, "tei/m", []string{"a"}, fields...)
			require.Len(t, m.requests(), before+1)
		})
	}
}

// TestTheOldModelComesBack: nobody has to agree to what was agreed to before.
func TestTheOldModelComesBack(t *testing.T) {
	t.Parallel()
	r := serve(t, oneTEI)
	m := r.model(t, "tei")
	r.embed(t, "tei/m", []string{"a"})
	m.restarts("other")
	r.refusedUntil(t, events.CodeFailedPrecondition, "b")
	m.restarts("m")
	require.Eventually(t, func() bool {
		return r.Ask(t, interactive, body(t, "tei/m", []string{"c"})).Err() == nil
	}, 30*time.Second, 20*time.Millisecond)
}

// TestAnotherReplicaKnows which model was agreed to, and so does one that is started later.
func TestAnotherReplicaKnows(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	stop := r.start(t, oneTEI)
	r.embed(t, "tei/m", []string{"a"})
	stop()
	r.model(t, "tei").restarts("other")
	r.start(t, oneTEI)
	r.refusedUntil(t, events.CodeFailedPrecondition, "a")
}

// TestAServerThatTellsNoLonger may have another model now: its answers are refused until it tells.
func TestAServerThatTellsNoLonger(t *testing.T) {
	t.Parallel()
	r := serve(t, `providers: {tei: {base_url: "$tei", retries: 0}}`)
	m := r.model(t, "tei")
	r.embed(t, "tei/m", []string{"a"})
	m.silence(true)
	m.restarts("other")
	require.Contains(t, r.refusedUntil(t, events.CodeUnavailable, "b"), "does not tell which model it has")
	m.silence(false)
	r.refusedUntil(t, events.CodeFailedPrecondition, "c")
}

// TestALargeRequestStaysWithOneModel: when another takes its place in the middle, the request fails, and its parts do not go with others.
func TestALargeRequestStaysWithOneModel(t *testing.T) {
	t.Parallel()
	r := serve(t, oneTEI)
	m := r.model(t, "tei")
	var once sync.Once
	m.answer(func(http.ResponseWriter, *http.Request, asked) bool {
		if len(m.requests()) > 20 {
			once.Do(func() { m.restarts("other") })
		}
		return false
	})
	texts := numbered(3000)
	r.Publish(t, durable, "r", body(t, "tei/m", texts, "encoding_format", "base64"))
	e := r.Results().Next(t).Err()
	require.NotNil(t, e)
	require.Equal(t, events.CodeFailedPrecondition, e.Code)
	require.Contains(t, e.Message, strconv.Quote("other"))
	r.accept(t, "tei/m", 0)
	require.Eventually(t, func() bool {
		return r.Ask(t, interactive, body(t, "tei/m", []string{"c"})).Err() == nil
	}, 30*time.Second, 20*time.Millisecond)
}
