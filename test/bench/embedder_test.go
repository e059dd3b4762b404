package bench_test

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"strconv"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/cache/redistest"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/test/process"
)

// embedders are a model server, a Redis and embedders with it, each a process of its own beside a NATS server.
type embedders struct {
	bus   *process.NATS
	model *process.Process
	url   string // of the model server
	redis string
	nc    *nats.Conn
}

func newEmbedders(b *testing.B) *embedders {
	b.Helper()
	e := &embedders{bus: process.StartNATS(b, programs.Path(b, "nats-server"), nil), redis: redistest.Addr(b)}
	e.model = process.Start(b, programs.Path(b, "upstream"), "", nil)
	e.url = e.model.Out.Await(b, `http://\S+`)[0]
	provision := process.Start(b, programs.Path(b, "mlsdmctl"), "", map[string]string{"NATS_URL": e.bus.URL}, "provision")
	require.Zero(b, provision.Exit(), "%s%s", provision.Out, provision.Errs)
	var err error
	e.nc, err = nats.Connect(e.bus.URL)
	require.NoError(b, err)
	b.Cleanup(e.nc.Close)
	return e
}

// start starts an embedder and waits until it answers.
func (e *embedders) start(b *testing.B, env map[string]string) *process.Process {
	b.Helper()
	all := map[string]string{
		"NATS_URL": e.bus.URL, "MLSDM_ADMIN_ADDR": "off", "OPENAI_API_KEY": "sk-bench", "OPENAI_BASE_URL": e.url + "/v1", "OPENAI_BASE64": "true",
		"EMBEDDER_WORKERS": "256",
	}
	maps.Copy(all, env)
	p := process.Start(b, programs.Path(b, "embedder"), "", all)
	eventually(b, "an answer of the embedder", func() bool {
		_, err := e.nc.Request(events.DefaultPrefix+".embed", embedRequest("warm"), time.Second)
		return err == nil
	})
	return p
}

// embedRequest asks for one vector of 1536 numbers.
func embedRequest(text string) []byte {
	return fmt.Appendf(nil, `{"model":"openai/text-embedding-3-small","input":%q,"encoding_format":"base64"}`, text)
}

// BenchmarkEmbedderHits measures what a vector out of the cache takes: from the process, beside a bare NATS responder that answers with
// as many bytes; and from Redis, beside that and a bare GET of as many bytes: as the sum of both, each measured alone, and as one behind the
// other. The latter takes longer, since neither server is awake when it is asked, and is what a hit does. They are measured in turns.
func BenchmarkEmbedderHits(b *testing.B) {
	const rounds, vectorSize = 7, 4 * 1536
	e := newEmbedders(b)
	host, err := url.Parse("redis://" + e.redis)
	require.NoError(b, err)
	shared := map[string]string{"REDIS_HOST": host.Hostname(), "REDIS_PORT": host.Port()}
	request := events.DefaultPrefix + ".embed"
	ask := func(text string) error {
		answer, err := e.nc.Request(request, embedRequest(text), patience)
		if err != nil {
			return err
		}
		return checked(answer)
	}
	const kept = 20_000 // texts in Redis, each of which is found there once
	first := e.start(b, shared)
	for n := range kept {
		require.NoError(b, ask("kept "+strconv.Itoa(n)))
	}
	first.Kill()
	ours := e.start(b, shared)

	answer, err := e.nc.Request(request, embedRequest("warm"), patience)
	require.NoError(b, err)
	require.NoError(b, checked(answer))
	floor := process.Start(b, programs.Path(b, "forwarder"), "", nil, e.bus.URL, e.url)
	floor.Out.Await(b, "forwarding")
	bare := "floor.bytes-" + strconv.Itoa(len(answer.Data))
	raw := redistest.Client(b, e.redis)
	require.NoError(b, raw.Set(b.Context(), "floor", make([]byte, vectorSize), time.Hour).Err())

	ping := func(int) error {
		_, err := e.nc.Request(bare, embedRequest("warm"), patience)
		return err
	}
	fetch := func(int) error { return raw.Get(b.Context(), "floor").Err() }
	next := 0
	ways := []*hit{
		{name: "bare NATS responder with as many bytes", by: floor, ask: ping},
		{name: "found in the process", by: ours, ask: func(int) error { return ask("warm") }},
		{name: "bare GET of 6 KB", ask: fetch},
		{name: "bare GET, then the bare responder", by: floor, ask: func(n int) error { return errors.Join(fetch(n), ping(n)) }},
		{name: "found in Redis", by: ours, ask: func(int) error {
			next++
			return ask("kept " + strconv.Itoa(next%kept))
		}},
	}
	for range rounds {
		for _, w := range ways {
			w.measure(b)
		}
	}
	require.Less(b, next, kept, "the rest would be found in the process")
	b.ReportMetric(0, "ns/op") // the whole run; it says nothing
	echo, memory, get, both, far := ways[0], ways[1], ways[2], ways[3], ways[4]
	var t table
	t.section(b, fmt.Sprintf("%-50s", "one text, 1536 numbers in base64, one at a time")+"\tp50 ms\tp99 ms\tCPU µs", func(w io.Writer) {
		for _, h := range ways {
			_, err := fmt.Fprintf(w, "%-50s\t%.3f\t%.3f\t%s\t\n", h.name, h.at(.5), h.at(.99), orNothing("%.0f", h.each()))
			require.NoError(b, err)
		}
	})
	t.line("found in the process: × %.2f of the bare responder", memory.at(.5)/echo.at(.5))
	t.line("found in Redis: × %.2f of GET and responder, each alone; × %.2f of one behind the other", far.at(.5)/(get.at(.5)+echo.at(.5)), far.at(.5)/both.at(.5))
	t.print(b, "vectors out of the cache, load average "+loadAverage(b))
	b.ReportMetric(memory.at(.5)/echo.at(.5), "x-echo-p50")
	b.ReportMetric(far.at(.5)/(get.at(.5)+echo.at(.5)), "x-get+echo-p50")
	b.ReportMetric(far.at(.5)/both.at(.5), "x-get-then-echo-p50")
}

// hit is one way to a vector.
type hit struct {
	name string
	by   *process.Process // whose CPU time is looked at; nil: nobody's
	ask  func(n int) error
	took []time.Duration
	cpu  time.Duration
}

// measure asks for half a second, one after the other.
func (h *hit) measure(b *testing.B) {
	b.Helper()
	var before time.Duration
	if h.by != nil {
		before = cpu(b, h.by.PID())
	}
	for start, n := time.Now(), 0; time.Since(start) < time.Second/2; n++ {
		begun := time.Now()
		require.NoError(b, h.ask(n))
		h.took = append(h.took, time.Since(begun))
	}
	if h.by != nil {
		h.cpu += cpu(b, h.by.PID()) - before
	}
}

// at is a quantile of the times, in milliseconds.
func (h *hit) at(p float64) float64 { return percentile(h.took, p) }

// each is the CPU time of one answer, in µs.
func (h *hit) each() float64 { return float64(h.cpu.Microseconds()) / float64(len(h.took)) }

// BenchmarkEmbedderMiss measures what a text costs that nobody has asked for: CPU of the embedder, beside that of a bare responder that
// forwards with net/http. 64 ask at the same time, each for one text.
func BenchmarkEmbedderMiss(b *testing.B) {
	const rounds, each, workers = 7, 2 * time.Second, 64
	e := newEmbedders(b)
	ours := e.start(b, nil)
	floor := process.Start(b, programs.Path(b, "forwarder"), "", nil, e.bus.URL, e.url)
	floor.Out.Await(b, "forwarding")
	conns := make([]*nats.Conn, modelConnections)
	for i := range conns {
		var err error
		conns[i], err = nats.Connect(e.bus.URL)
		require.NoError(b, err)
		b.Cleanup(conns[i].Close)
	}
	texts := make([]int, workers)
	over := func(name, subject string, by *process.Process) *way {
		return &way{name: name, by: by, ask: func(worker int) error {
			texts[worker]++
			return once(conns[worker%len(conns)], subject, embedRequest(fmt.Sprintf("text %d of %d", texts[worker], worker)))
		}}
	}
	m := &models{nats: e.bus.Process, upstream: e.model, floor: floor, ours: ours, quiet: ours}
	all := m.compare(b, []*way{over(wayFloor, "floor.embed", floor), over("embedder", events.DefaultPrefix+".embed", ours)}, rounds, each, saturate(workers))
	var t table
	t.section(b, fmt.Sprintf("%-50s", "texts nobody has asked for, 64 at a time")+"\t× floor CPU\tCPU µs\ttexts/s\tp50 ms\tp99 ms\tpeak MiB", func(w io.Writer) {
		for _, r := range all {
			_, err := fmt.Fprintf(w, "%-50s\t%.2f\t%.0f\t%.0f\t%.2f\t%.2f\t%.0f\t\n", r.name, ratio(r.cpu, all[0].cpu), middle(r.cpu), middle(r.rates),
				middle(r.p50), middle(r.p99), r.peak)
			require.NoError(b, err)
		}
	})
	t.print(b, "vectors of 1536 numbers, load average "+loadAverage(b))
	b.ReportMetric(ratio(all[1].cpu, all[0].cpu), "x-floor-cpu")
	b.ReportMetric(middle(all[1].cpu), "cpu-µs/text")
	b.ReportMetric(middle(all[1].rates), "texts/s")
}
