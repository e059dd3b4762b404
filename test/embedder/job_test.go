package embedder_test

import (
	"context"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/pkg/client"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/test/process"
)

// patience is how long is waited for something to go on; nothing takes it unless it fails.
const patience = process.Patience

// programs are the commands under test.
//
//nolint:gochecknoglobals // built once for all tests, and removed after the last of them
var programs = process.NewPrograms("./services/embedder/cmd/embedder", "./cmd/mlsdmctl")

func TestMain(m *testing.M) {
	defer programs.Remove()
	m.Run()
}

// A request for 100,000 texts outlives five kills: every vector is there once and in order, and no text is paid for twice that was not
// in a part that was being made when a kill came.
func TestKilledFiveTimes(t *testing.T) {
	t.Parallel()
	const texts, kills, size, parallel = events.MaxDurableInputs, 5, 1000, 4
	p := newProvider(t, 100*time.Millisecond)
	server := bustest.Start(t)
	js, err := jetstream.New(server.Conn(t))
	require.NoError(t, err)
	hurry(t, js)
	env := map[string]string{
		"NATS_URL": server.URL(), "MLSDM_ADMIN_ADDR": "off", "EMBEDDER_DEFAULT_MODEL": "house/m", "HOUSE_KEY": providerKey,
		"EMBEDDER_CONFIG": filepath.Join(t.TempDir(), "embedder.yaml"), "EMBEDDER_MAX_ATTEMPTS": "2",
	}
	file := fmt.Sprintf("providers:\n  house: {protocol: openai, base_url: %q, keys: [env:HOUSE_KEY], models: [m]}\nmodels:\n  house/m: {max_items: %d}\n",
		p.URL, size)
	require.NoError(t, os.WriteFile(env["EMBEDDER_CONFIG"], []byte(file), 0o600))

	ctx, cancel := context.WithTimeout(t.Context(), 10*patience)
	defer cancel()
	c, err := client.Connect(ctx, server.URL(), client.Caller("shop"))
	require.NoError(t, err)
	t.Cleanup(c.Close)
	req := events.EmbeddingsRequest{Input: make([]string, texts)}
	for i := range req.Input {
		req.Input[i] = "text-" + strconv.Itoa(i)
	}
	_, err = c.SubmitEmbed(ctx, "order-1", req)
	require.NoError(t, err)

	seed := rand.Uint64()
	t.Logf("the seed is %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	const share = texts / size / (kills + 1) // calls in a life
	for range kills {
		until := p.answered() + share
		embedder := process.Start(t, programs.Path(t, "embedder"), "", env)
		eventually(t, "the work goes on", func() bool { return p.answered() >= until })
		embedder.KillAfter(time.Duration(random.Int64N(int64(2 * p.takes))))
	}
	process.Start(t, programs.Path(t, "embedder"), "", env)

	var res events.EmbeddingsResponse
	require.NoError(t, c.Result(ctx, "order-1", &res))
	require.Zero(t, res.Failed)
	require.Equal(t, texts, res.Usage.PromptTokens)
	requireVectors(t, ctx, c, &res, texts)

	p.mu.Lock()
	more := 0
	for i := range texts {
		n := p.asked["text-"+strconv.Itoa(i)]
		require.Positive(t, n, "text %d", i)
		more += n - 1
	}
	require.Len(t, p.asked, texts)
	t.Logf("%d kills: %d of %d texts were paid for more than once; up to %d calls at once of up to %d texts", kills, more, texts, p.most, p.largest)
	require.LessOrEqual(t, p.largest, size)
	p.mu.Unlock()
	require.LessOrEqual(t, more, kills*parallel*size)

	eventually(t, "nothing is left of it", func() bool {
		return messages(t, js, events.StreamParts) == 0 && messages(t, js, events.StreamRequests) == 0
	})
	require.EqualValues(t, 1, messages(t, js, events.StreamResults))
	require.Zero(t, messages(t, js, events.StreamDeadLetters))
	job, err := c.Job(ctx, "order-1")
	require.NoError(t, err)
	require.Equal(t, []any{events.JobDone, texts, texts}, []any{job.State, job.Total, job.Done})
}

// requireVectors checks that every text has its vector.
func requireVectors(t *testing.T, ctx context.Context, c *client.Client, res *events.EmbeddingsResponse, texts int) {
	t.Helper()
	reader := c.Vectors(res)
	for i := range texts {
		v, err := reader.Next(ctx)
		require.NoError(t, err)
		x, y := float64(i%1000-500), float64(i/1000-50)
		length := math.Sqrt(x*x + y*y + 1) // they are normalised
		if len(v) != dimensions || math.Abs(float64(v[0])-x/length) > 1e-5 || math.Abs(float64(v[1])-y/length) > 1e-5 {
			require.Failf(t, "another vector", "of text %d: %v", i, v)
		}
	}
	_, err := reader.Next(ctx)
	require.ErrorIs(t, err, io.EOF)
}

// hurry sets after which time what nobody shows a sign of is handed out again.
func hurry(t *testing.T, js jetstream.JetStream) {
	t.Helper()
	stream := events.Subjects{}.StreamName(events.StreamRequests)
	consumer, err := js.Consumer(t.Context(), stream, events.ConsumerEmbedder)
	require.NoError(t, err)
	cfg := consumer.CachedInfo().Config
	cfg.AckWait = 3 * time.Second
	_, err = js.UpdateConsumer(t.Context(), stream, cfg)
	require.NoError(t, err)
}

// messages is how many a stream has.
func messages(t *testing.T, js jetstream.JetStream, stream string) uint64 {
	t.Helper()
	s, err := js.Stream(t.Context(), events.Subjects{}.StreamName(stream))
	require.NoError(t, err)
	return s.CachedInfo().State.Msgs
}

// eventually waits until something is true, looking often.
func eventually(t *testing.T, what string, happened func() bool) {
	t.Helper()
	tick, timeout := time.NewTicker(5*time.Millisecond), time.After(2*patience)
	defer tick.Stop()
	for !happened() {
		select {
		case <-tick.C:
		case <-timeout:
			require.Fail(t, "it does not happen", what)
		}
	}
}
