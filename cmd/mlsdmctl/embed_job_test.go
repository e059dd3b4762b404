package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/pkg/client"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// A job is shown, watched and fetched while it is worked on, and Ctrl-C changes nothing for it.
func TestJobIsFollowed(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.close()
	const n = 3000
	id, errs, code := h.ctl(t.Context(), texts(n), "embed", "--durable", "--no-wait", "--quiet", "--id", "corpus")
	require.Zero(t, code, errs)
	require.Equal(t, "corpus\n", id)
	h.pass(2)
	h.eventually(t, "corpus", done(200))

	out, errs, code := h.ctl(t.Context(), "", "job", "corpus")
	require.Zero(t, code, errs)
	require.Regexp(t, `^corpus is worked on: 6% · 200 of 3,000 texts · [0-9,]+ a second · 200 tokens · [0-9hms]+ left\nsince 2.*; --watch waits for its result\n$`, out)
	name := filepath.Join(t.TempDir(), "v.npy")
	_, errs, code = h.ctl(t.Context(), "", "job", "corpus", "--out", name)
	require.Equal(t, 1, code)
	require.Contains(t, errs, "the request corpus is not done: 6%")
	require.Contains(t, errs, "--watch waits for it.")

	// At a terminal it is drawn how far it is.
	ctx, cancel := context.WithCancel(t.Context())
	shown := &liveTerminal{}
	ended := make(chan int, 1)
	var stdout bytes.Buffer
	go func() { ended <- h.run(ctx, "", &stdout, shown, "job", "corpus", "--watch", "--out", name) }()
	shown.waitFor(t, "\r\x1b[K[=                       ] 6% · 200 of 3,000 texts")
	h.pass(4)
	shown.waitFor(t, "20% · 600 of 3,000 texts")
	cancel()
	require.Equal(t, 130, <-ended)
	shown.waitFor(t, "interrupted; that changes nothing for the request. To come back to it:\n  mlsdmctl job corpus --watch --out "+name+"\n")
	require.NoFileExists(t, name)

	go func() { ended <- h.run(t.Context(), "", &stdout, shown, "job", "corpus", "--watch", "--out", name) }()
	h.open()
	require.Zero(t, <-ended)
	require.Equal(t, name+": 3,000 vectors of 64 numbers, 3,000 tokens, by house in the space house/m/64/raw\n", stdout.String())
	requireMatrix(t, name, n, -1)
	require.Equal(t, n, h.paid())

	out, errs, code = h.ctl(t.Context(), "", "job", "corpus", "--watch", "--json")
	require.Zero(t, code, errs)
	require.Empty(t, errs)
	var known map[string]any
	require.NoError(t, json.Unmarshal([]byte(out), &known))
	require.Equal(t, []any{"corpus", "done", "house", "house/m/64/raw", 3000.0, 3000.0, 0.0, 3000.0, true},
		[]any{known["request_id"], known["state"], known["model"], known["space"], known["total"], known["done"], known["failed"], known["tokens"], known["result_kept"]})
	require.NotContains(t, known, "seconds_left")
}

// Vectors that are gone, and results that are, are said to be; nothing is left of a file that cannot be written.
func TestJobWhoseResultIsGone(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	out, errs, code := h.ctl(t.Context(), texts(3000), "embed", "--durable", "--id", "corpus", "--json")
	require.Zero(t, code, errs)
	require.NotEmpty(t, out)
	h.eventually(t, "corpus", func(known map[string]any) bool { return known["state"] == events.JobDone })

	cl, err := client.Connect(t.Context(), h.URL())
	require.NoError(t, err)
	t.Cleanup(cl.Close)
	var resp events.EmbeddingsResponse
	require.NoError(t, cl.Result(t.Context(), "corpus", &resp))
	require.NoError(t, h.bus.Objects(events.ObjectsVectors).Delete(t.Context(), resp.Vectors.Name))
	dir := t.TempDir()
	for _, args := range [][]string{
		{"job", "corpus", "--out", filepath.Join(dir, "v.parquet")},
		{"embed", "--durable", "--id", "corpus", "--out", filepath.Join(dir, "v.npy")},
		{"embed", "--durable", "--id", "corpus", "--json"},
	} {
		_, errs, code = h.ctl(t.Context(), texts(3000), args...)
		require.Equal(t, 1, code)
		require.Contains(t, errs, "there are no vectors of this name")
		require.Contains(t, errs, "To have the vectors made again, ask under another id")
	}
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, left)

	_, err = h.bus.Purge(t.Context(), h.bus.Subjects().StreamName(events.StreamResults), h.bus.Subjects().Result("", "corpus"))
	require.NoError(t, err)
	out, errs, code = h.ctl(t.Context(), "", "job", "corpus")
	require.Zero(t, code, errs)
	require.Regexp(t, "^corpus of 3,000 texts: done at 2.*, and its result is not kept any longer\n$", out)
	_, errs, code = h.ctl(t.Context(), "", "job", "corpus", "--out", filepath.Join(dir, "v.npy"))
	require.Equal(t, 1, code)
	require.Contains(t, errs, "the result of the request corpus is not kept any longer")
}

// A request that nobody sent, or another caller, is not waited for without end.
func TestUnknownJob(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	_, errs, code := h.ctl(t.Context(), "", "embed", "--durable", "--id", "mine", "--caller", "shop", "--quiet", "t1")
	require.Zero(t, code, errs)
	for _, id := range []string{"mine", "nobodys"} {
		out, errs, code := h.ctl(t.Context(), "", "job", id, "--json")
		require.Equal(t, 1, code)
		require.Empty(t, out)
		require.Contains(t, errs, "not_found: nothing is known of a request \""+id+"\" of this caller")
		require.Contains(t, errs, "--watch waits for it")
		_, errs, code = h.ctl(t.Context(), "", "job", id, "--watch", "--timeout", "2s")
		require.Equal(t, 1, code)
		require.Contains(t, errs, "Nothing was heard of it for 2s, either")
	}
	out, errs, code := h.ctl(t.Context(), "", "job", "mine", "--caller", "shop", "--watch")
	require.Zero(t, code, errs)
	require.Contains(t, out, "mine is done: 1 vectors")
}

func TestJobLine(t *testing.T) {
	t.Parallel()
	begun := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	job := events.EmbeddingsJob{State: events.JobRunning, Total: 10_000, Started: begun, Updated: begun}
	w := &watch{begun: begun, news: begun}
	require.Equal(t, "waiting for the result · 3s", w.line(events.Errorf(events.CodeNotFound, "nothing"), begun.Add(3*time.Second)))
	require.Equal(t, "waiting for an embedder to work on it · 3s", w.line(events.Errorf(events.CodeUnavailable, "nobody"), begun.Add(3*time.Second)))
	w.see(job, begun)
	require.Equal(t, bar(0, 1)+"0% · 0 of 10,000 texts", w.line(nil, begun))

	// The rate is what was seen, and not what was before: somebody has gone on with it.
	job.Done, job.PromptTokens, job.Updated = 2000, 4000, begun.Add(100*time.Second)
	w = &watch{begun: begun}
	w.see(job, begun)
	require.Equal(t, bar(1, 5)+"20% · 2,000 of 10,000 texts · 20 a second · 4,000 tokens · 6m40s left", w.line(nil, begun))
	job.Done, job.Failed, job.Updated = 6000, 3, begun.Add(110*time.Second)
	w.see(job, begun.Add(10*time.Second))
	require.Equal(t, bar(3, 5)+"60% · 6,000 of 10,000 texts · 400 a second · 4,000 tokens · 3 failed · 10s left", w.line(nil, begun.Add(20*time.Second)))
	require.Contains(t, w.line(errors.New("gone"), begun.Add(45*time.Second)), " · nothing new for 35s")

	job.Done, job.State = 10_000, events.JobDone
	require.NotContains(t, jobParts(job, job)[2], "left")
	require.Equal(t, []string{"0%", "0 of 0 texts"}, jobParts(events.EmbeddingsJob{}, events.EmbeddingsJob{}))
}
