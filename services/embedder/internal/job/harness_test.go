package job_test

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/internal/door"
	"github.com/neuron7x/mlsdm-integrations/internal/door/doortest"
	"github.com/neuron7x/mlsdm-integrations/internal/retry"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/embedder/internal/job"
)

const (
	model  = "house/m"
	caller = events.DefaultCaller
)

// provider embeds texts that are numbers: the vector of n begins with n and n/2.
type provider struct {
	dimensions int
	space      string

	mu    sync.Mutex
	asked map[string]int // how often
	calls int
	// before is called at the beginning of each call, if there is one; what it returns is the call's answer when it is not nil.
	before func(ctx context.Context, texts []string) (*job.Answer, error)
	// spoil changes an item, if there is one.
	spoil func(text string, item *job.Item)
}

func newProvider(dimensions int) *provider {
	return &provider{dimensions: dimensions, space: "m", asked: make(map[string]int)}
}

func (p *provider) embed(ctx context.Context, texts []string) (job.Answer, error) {
	p.mu.Lock()
	p.calls++
	for _, text := range texts {
		p.asked[text]++
	}
	before, spoil := p.before, p.spoil
	p.mu.Unlock()
	if before != nil {
		if answer, err := before(ctx, texts); answer != nil || err != nil {
			if answer == nil {
				answer = &job.Answer{}
			}
			return *answer, err
		}
	}
	answer := job.Answer{Model: model, Space: events.EmbeddingSpace{
		ID: p.space + "/" + strconv.Itoa(p.dimensions), Model: p.space, Dimensions: p.dimensions, Normalized: true,
	}}
	for _, text := range texts {
		item := job.Item{Vector: vector(text, p.dimensions), Tokens: 1}
		if spoil != nil {
			spoil(text, &item)
		}
		answer.Items = append(answer.Items, item)
	}
	return answer, nil
}

// vector is that of a text.
func vector(text string, dimensions int) []float32 {
	n, err := strconv.ParseFloat(text, 32)
	if err != nil {
		n = -1
	}
	v := make([]float32, dimensions)
	v[0], v[1] = float32(n), float32(n/2)
	return v
}

// paid returns how often texts were asked for beyond once each, and how many were.
func (p *provider) paid() (more, texts int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, n := range p.asked {
		more += n - 1
	}
	return more, len(p.asked)
}

// set changes what the provider does.
func (p *provider) set(before func(ctx context.Context, texts []string) (*job.Answer, error)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.before = before
}

// house is a bus on which services work jobs.
type house struct {
	making string // what vectors depend on, beside texts and model
	*doortest.Street

	provider *provider
	size     int
	options  job.Options
	attempts int
}

func newHouse(t *testing.T, p *provider) *house {
	t.Helper()
	h := &house{Street: doortest.Start(t), provider: p, size: 10, attempts: 5}
	return h
}

// service is one that can be killed: its connection is closed, as that of a process that is gone.
type service struct {
	bus  *bus.Bus
	stop context.CancelFunc
	done chan error
	jobs *job.Jobs
}

// start starts a service.
func (h *house) start(t *testing.T) *service {
	t.Helper()
	b, err := bus.Connect(t.Context(), h.Server.Config(), "embedder", bus.Options{Logger: bustest.Logger(t)})
	require.NoError(t, err)
	o := h.options
	o.Logger = bustest.Logger(t)
	s := &service{bus: b, done: make(chan error, 1), jobs: job.New(b, o)}
	doors, err := door.New(b, door.Options{
		Kind: events.KindEmbed, Service: events.ServiceEmbedder, Version: "1.0.0", Workers: 4, Timeout: 10 * time.Second, DurableTimeout: time.Hour,
		MaxAttempts: h.attempts, Backoff: retry.Backoff{Base: time.Millisecond, Cap: time.Millisecond}, DrainTimeout: 20 * time.Second,
		Operations: s.jobs.Operations(), Settled: s.jobs.Settled, Progress: s.jobs.Progress, Logger: bustest.Logger(t),
	}, func(ctx context.Context, call *door.Call) ([]byte, error) {
		var req events.EmbeddingsRequest
		if err := events.DecodeDurableJSON(call.Body, &req); err != nil {
			return nil, err
		}
		return s.jobs.Work(ctx, job.Request{
			Call: call, Model: model, Texts: req.Input, Encoding: req.EncodingFormat, Making: h.making, Size: h.size, Embed: h.provider.embed,
		})
	})
	require.NoError(t, err)
	var ctx context.Context
	ctx, s.stop = context.WithCancel(context.WithoutCancel(t.Context()))
	go func() { s.done <- doors.Run(ctx) }()
	t.Cleanup(func() { s.end(t) })
	conn := h.Server.Conn(t)
	eventually(t, func() bool {
		_, err := conn.Request("$SRV.PING."+events.MicroName(events.ServiceEmbedder), nil, time.Second)
		return err == nil
	})
	return s
}

// end stops a service as a shutdown does.
func (s *service) end(t *testing.T) {
	t.Helper()
	s.stop()
	if s.done == nil {
		return
	}
	require.NoError(t, <-s.done)
	s.done = nil
	require.NoError(t, s.bus.Close(context.WithoutCancel(t.Context())))
}

// kill takes a service's connection away.
func (s *service) kill(t *testing.T) {
	t.Helper()
	gone, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	cancel()
	require.Error(t, s.bus.Close(gone))
	require.Error(t, <-s.done)
	s.done = nil
	s.stop()
}

// request is one for n texts, the numbers from 0.
func request(t *testing.T, n int) []byte {
	t.Helper()
	req := events.EmbeddingsRequest{Model: model, EncodingFormat: events.EncodingBase64}
	for i := range n {
		req.Input = append(req.Input, strconv.Itoa(i))
	}
	body, err := json.Marshal(req)
	require.NoError(t, err)
	return body
}

// publish stores a request.
func (h *house) publish(t *testing.T, id string, body []byte) {
	t.Helper()
	h.Publish(t, "mlsdm.requests.embed", "", body, events.HeaderRequestID, id)
}

// vectors reads all that an answer has, by its index; a vector that is missing is nil.
func (h *house) vectors(t *testing.T, res events.EmbeddingsResponse) [][]float32 {
	t.Helper()
	if res.Vectors == nil {
		all := make([][]float32, len(res.Data))
		for i, e := range res.Data {
			require.Equal(t, i, e.Index)
			all[i] = e.Embedding.Values
		}
		return all
	}
	var content []byte
	for int64(len(content)) < res.Vectors.Size {
		m := h.Ask(t, "mlsdm.embeddings.vectors", fmt.Appendf(nil, `{"name":%q,"offset":%d}`, res.Vectors.Name, len(content)))
		require.NoError(t, orNil(m.Err()))
		piece := doortest.JSON[events.VectorsPiece](t, m)
		require.Equal(t, int64(len(content)), piece.Offset)
		require.NotEmpty(t, piece.Data)
		content = append(content, piece.Data...)
	}
	row := 4 * res.Vectors.Dimensions
	require.Len(t, content, res.Vectors.Count*row)
	all := make([][]float32, res.Vectors.Count)
	for i := range all {
		all[i] = make([]float32, res.Vectors.Dimensions)
		for n := range all[i] {
			all[i][n] = math.Float32frombits(binary.LittleEndian.Uint32(content[i*row+4*n:]))
		}
	}
	return all
}

func orNil(e *events.Error) error {
	if e == nil {
		return nil
	}
	return e
}

// requireAll checks that every vector is there, once and in its place.
func (h *house) requireAll(t *testing.T, res events.EmbeddingsResponse, n int) {
	t.Helper()
	all := h.vectors(t, res)
	require.Len(t, all, n)
	for i, v := range all {
		if len(v) != h.provider.dimensions || v[0] != float32(i) || v[1] != float32(i)/2 {
			require.Failf(t, "another vector", "of text %d: %v", i, v[:min(2, len(v))])
		}
	}
}

// result waits for the next result of a request.
func (h *house) result(t *testing.T, id string) doortest.Message {
	t.Helper()
	for {
		m := h.Results().Next(t)
		if strings.HasSuffix(m.Subject, "."+id) {
			return m
		}
	}
}

// parts waits until there are so many parts.
func (h *house) parts(t *testing.T, n uint64) {
	t.Helper()
	eventually(t, func() bool { return h.stored(t) >= n })
}

// stored is how many parts there are.
func (h *house) stored(t *testing.T) uint64 {
	t.Helper()
	n, err := h.Bus.StreamMessages(t.Context(), "MLSDM_PARTS")
	require.NoError(t, err)
	return n
}

func eventually(t *testing.T, happened func() bool) {
	t.Helper()
	require.Eventually(t, happened, doortest.Patience, 5*time.Millisecond)
}

// job asks how far the request r1 is.
func (h *house) job(t *testing.T) events.EmbeddingsJob {
	t.Helper()
	m := h.Ask(t, "mlsdm.embeddings.job", []byte(`{"request_id":"r1"}`))
	require.NoError(t, orNil(m.Err()))
	return doortest.JSON[events.EmbeddingsJob](t, m)
}
