package bench_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	values "github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/internal/secret/seal"
	"github.com/neuron7x/mlsdm-integrations/pkg/client"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// BenchmarkSecrets measures a get that the cache of secretd answers, through the bus, beside what it cannot do without, each
// measured alone: a bare NATS echo of the same bytes, one seal and one open. Whoever asks makes a key, whoever seals makes one too
// and signs; these are parts of a seal that is good for one request, and counted with it.
func BenchmarkSecrets(b *testing.B) {
	s := bustest.Start(b)
	file := filepath.Join(b.TempDir(), "value")
	require.NoError(b, os.WriteFile(file, []byte(strings.Repeat("v", 256)), 0o600))
	rules := filepath.Join(b.TempDir(), "rules.yaml")
	require.NoError(b, os.WriteFile(rules, []byte("secrets: {openai_api_key: ['file:"+file+"']}\npolicy: {bench: ['*']}"), 0o600))
	run(b, s, events.ServiceSecretd, map[string]string{"SECRETD_CONFIG": rules, "SECRETD_FILE_ROOTS": filepath.Dir(file)})
	for _, alg := range []string{events.SealXKey, events.SealHybrid} {
		f := newSecretFloor(b, s, alg)
		for _, workers := range []int{1, 16} {
			b.Run(alg+map[int]string{1: "/serial", 16: "/workers16"}[workers], func(b *testing.B) { f.compare(b, s, workers) })
		}
	}
}

// secretFloor is what a get cannot do without.
type secretFloor struct {
	alg            string
	request, reply []byte
	signer         *seal.Signer
	asker          *seal.Asker
	asked          events.SecretRequest
	sealed         events.SecretResponse
}

func newSecretFloor(b *testing.B, s *bustest.Server, alg string) *secretFloor {
	b.Helper()
	f := &secretFloor{alg: alg}
	var err error
	f.asker, err = seal.NewAsker(alg)
	require.NoError(b, err)
	f.signer, err = seal.MakeSigner()
	require.NoError(b, err)
	f.asked = f.asker.Request("openai_api_key", false)
	f.request, err = json.Marshal(f.asked)
	require.NoError(b, err)
	answer, err := s.Conn(b).Request(events.Subjects{}.Secret("bench"), f.request, 10*time.Second)
	require.NoError(b, err)
	require.Empty(b, answer.Header.Get(events.HeaderErrorCode), string(answer.Data))
	f.reply = answer.Data
	f.sealed = f.seal(b)
	nc := s.Conn(b)
	_, err = nc.QueueSubscribe("floor.secrets."+alg, "q", func(msg *nats.Msg) {
		if err := msg.Respond(f.reply); err != nil {
			b.Errorf("floor: %v", err)
		}
	})
	require.NoError(b, err)
	require.NoError(b, nc.Flush())
	return f
}

// seal reads the key of a request and seals to it, as secretd does.
func (f *secretFloor) seal(b *testing.B) events.SecretResponse {
	b.Helper()
	to, err := seal.Read(f.asked)
	if err != nil {
		b.Fatal(err)
	}
	r, err := f.signer.Seal("bench", "openai_api_key", to, seal.Content{
		Value: values.NewValue(strings.Repeat("v", 256)), Source: "file", FetchedAt: time.Now(),
	})
	if err != nil {
		b.Fatal(err)
	}
	return r
}

// open makes the key of a request and opens a reply, as a caller does.
func (f *secretFloor) open(b *testing.B) {
	b.Helper()
	asker, err := seal.NewAsker(f.alg)
	if err != nil {
		b.Fatal(err)
	}
	defer asker.Wipe()
	if _, err := f.asker.Open("bench", "openai_api_key", f.signer.Public(), f.sealed); err != nil {
		b.Fatal(err)
	}
}

// compare measures gets beside their floor, in turns, so that a busy neighbour meets all.
func (f *secretFloor) compare(b *testing.B, s *bustest.Server, workers int) {
	var gets, echoes, seals, opens []time.Duration
	var wall time.Duration
	for range 6 {
		took, spent := f.gets(b, s, workers)
		gets, wall = append(gets, took...), wall+spent
		took, _ = ask(b, s, "floor.secrets."+f.alg, f.request, 1)
		echoes = append(echoes, took...)
		for range 300 {
			begin := time.Now()
			f.seal(b)
			sealed := time.Now()
			f.open(b)
			seals, opens = append(seals, sealed.Sub(begin)), append(opens, time.Since(sealed))
		}
	}
	echo, one, other := median(echoes), median(seals), median(opens)
	b.ReportMetric(0, "ns/op") // the whole run; it says nothing
	b.ReportMetric(float64(len(gets))/wall.Seconds(), "gets/s")
	b.ReportMetric(median(gets), "get-us")
	b.ReportMetric(echo, "echo-us")
	b.ReportMetric(one, "seal-us")
	b.ReportMetric(other, "open-us")
	if workers == 1 {
		b.ReportMetric(median(gets)/(echo+one+other), "x-floor")
	}
}

// gets asks for a secret for about a second, each worker on a connection of its own.
func (f *secretFloor) gets(b *testing.B, s *bustest.Server, workers int) (took []time.Duration, wall time.Duration) {
	b.Helper()
	var options []client.SecretOption
	if f.alg == events.SealHybrid {
		options = append(options, client.Hybrid())
	}
	var public struct {
		Key string `json:"signer_key"`
	}
	require.NoError(b, json.Unmarshal(f.reply, &public))
	var mu sync.Mutex
	var all sync.WaitGroup
	start := time.Now()
	for range workers {
		c, err := client.Connect(b.Context(), s.URL(), client.Caller("bench"), client.SecretdKey(public.Key))
		require.NoError(b, err)
		defer c.Close()
		all.Go(func() {
			var mine []time.Duration
			for time.Since(start) < 600*time.Millisecond {
				begin := time.Now()
				if _, err := c.Secret(b.Context(), "openai_api_key", options...); err != nil {
					b.Errorf("a get failed: %v", err)
					return
				}
				mine = append(mine, time.Since(begin))
			}
			mu.Lock()
			defer mu.Unlock()
			took = append(took, mine...)
		})
	}
	all.Wait()
	return took, time.Since(start)
}

// median returns the median, in microseconds.
func median(all []time.Duration) float64 {
	slices.Sort(all)
	return float64(all[len(all)/2].Nanoseconds()) / 1000
}
