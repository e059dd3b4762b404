package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// requireMatrix checks that a file has the vectors of "t0" and those behind it; text zero has none.
func requireMatrix(t *testing.T, name string, rows int, zero int) {
	t.Helper()
	matrix, err := os.ReadFile(name)
	require.NoError(t, err)
	require.Len(t, matrix, 128+rows*numbers*4)
	for i := range rows {
		first := math.Float32frombits(binary.LittleEndian.Uint32(matrix[128+i*numbers*4:]))
		second := math.Float32frombits(binary.LittleEndian.Uint32(matrix[128+i*numbers*4+4:]))
		if i == zero {
			require.Zero(t, first+second)
		} else if first != float32(i) || second != 1 {
			require.Failf(t, "another vector", "row %d begins with %v, %v", i, first, second)
		}
	}
}

// A file is embedded by one request, and each form of its result holds all of it; none of them is paid for again.
func TestEmbedDurableForms(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	const n = 3000 // more than one message holds
	lines := make([]string, n)
	for i := range lines {
		lines[i] = `{"text":"t` + strconv.Itoa(i) + `","id":"id-` + strconv.Itoa(i) + `"}`
	}
	lines[7] = `{"text":"bad","id":"id-7"}`
	in, dir := corpusFile(t, "in.jsonl", append([]string{""}, lines...)...), t.TempDir()
	args := []string{"embed", "--durable", "--id", "order-1", "--file", in, "--id-field", "id"}

	name := filepath.Join(dir, "a.jsonl")
	out, errs, code := h.ctl(t.Context(), "", append(args, "--out", name)...)
	require.Equal(t, 1, code)
	require.Equal(t, "Request order-1 of 3,000 texts is stored; \"mlsdmctl job order-1\" shows how far it is.\n"+
		"mlsdmctl: 1 of 3,000 texts have no vector: "+name+".errors.jsonl says which, and why\n", errs)
	require.Equal(t, name+": 2,999 vectors of 64 numbers, 2,999 tokens, by house in the space house/m/64/raw\n1 lines are empty, and have no row\n", out)
	text, err := os.ReadFile(name)
	require.NoError(t, err)
	rows := strings.Split(strings.TrimSpace(string(text)), "\n")
	require.Len(t, rows, n)
	require.True(t, strings.HasPrefix(rows[2999], `{"index":2999,"id":"id-2999","embedding":[2999,1,0,`), rows[2999])
	require.Contains(t, rows[7], `{"index":7,"id":"id-7","error":{"code":"invalid_argument"`)
	text, err = os.ReadFile(name + ".errors.jsonl")
	require.NoError(t, err)
	require.Contains(t, string(text), `{"line":9,"index":7,"id":"id-7","error":`)
	paid := h.paid()
	require.GreaterOrEqual(t, paid, n-1)

	name = filepath.Join(dir, "b.npy")
	out, errs, code = h.ctl(t.Context(), "", append(args, "--out", name, "--skip-errors", "--json")...)
	require.Zero(t, code, errs)
	require.Empty(t, errs)
	require.JSONEq(t, `{"out":"`+name+`","texts":3000,"failed":1,"truncated":0,"empty_lines":1,"tokens":2999,"model":"house","space":"house/m/64/raw",
		"dimensions":64,"errors":"`+name+`.errors.jsonl","request_id":"order-1"}`, out)
	requireMatrix(t, name, n, 7)

	name = filepath.Join(dir, "c.parquet")
	_, errs, code = h.ctl(t.Context(), "", append(args, "--out", name, "--skip-errors", "--quiet")...)
	require.Zero(t, code, errs)
	require.Empty(t, errs)
	require.FileExists(t, name)

	out, errs, code = h.ctl(t.Context(), "", append(args, "--json", "--skip-errors")...)
	require.Zero(t, code, errs)
	var reply struct {
		RequestID string `json:"request_id"`
		events.EmbeddingsResponse
	}
	require.NoError(t, json.Unmarshal([]byte(out), &reply))
	require.Equal(t, "order-1", reply.RequestID)
	require.Nil(t, reply.Vectors)
	require.Len(t, reply.Data, n)
	require.InDelta(t, 2999, reply.Data[2999].Embedding.Values[0], 0)
	require.Equal(t, events.CodeInvalidArgument, reply.Data[7].Error.Code)

	out, _, code = h.ctl(t.Context(), "", args...)
	require.Equal(t, 1, code)
	require.Contains(t, out, "[+19.0000 +1.0000 +0.0000 +0.0000 … 64 values]  t19\n… and 2,980 others; \"mlsdmctl job order-1 --out vectors.npy\"")
	require.Contains(t, out, "  bad\n")
	require.Contains(t, out, "house, space house/m/64/raw, 2999 tokens")

	// By its id alone.
	name = filepath.Join(dir, "d.npy")
	out, errs, code = h.ctl(t.Context(), "", "job", "order-1", "--out", name, "--skip-errors")
	require.Zero(t, code, errs)
	require.Equal(t, name+": 2,999 vectors of 64 numbers, 2,999 tokens, by house in the space house/m/64/raw\n1 texts have no vector: "+
		name+".errors.jsonl says which, and why\n", out)
	requireMatrix(t, name, n, 7)
	_, errs, code = h.ctl(t.Context(), "", "job", "order-1", "--out", name)
	require.Equal(t, 1, code)
	require.Contains(t, errs, "the file is there already\n--overwrite replaces it")
	require.Equal(t, paid, h.paid(), "nobody pays twice")
	require.EqualValues(t, 1, h.stored(t, events.StreamResults))
}

// A few texts are answered in one message.
func TestEmbedDurableTexts(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	out, errs, code := h.ctl(t.Context(), "", "embed", "--durable", "t1", "t2", "--quiet")
	require.Zero(t, code, errs)
	require.Empty(t, errs)
	require.Equal(t, "[+1.0000 +1.0000 +0.0000 +0.0000 … 64 values]  t1\n[+2.0000 +1.0000 +0.0000 +0.0000 … 64 values]  t2\n"+
		"house, space house/m/64/raw, 2 tokens; --json prints whole vectors\n", out)

	out, _, code = h.ctl(t.Context(), "t0\n\nt1\n", "embed", "--durable", "--json", "--id", "few")
	require.Zero(t, code)
	var reply events.EmbeddingsResponse
	require.NoError(t, json.Unmarshal([]byte(out), &reply))
	require.Len(t, reply.Data, 2)

	name := filepath.Join(t.TempDir(), "few.npy")
	_, errs, code = h.ctl(t.Context(), "", "embed", "--durable", "--id", "few", "t0", "t1", "--out", name)
	require.Zero(t, code, errs)
	requireMatrix(t, name, 2, -1)
	require.Contains(t, errs, "Request few of 2 texts was there already")

	// One that is too small to be worked in parts is known by its result.
	out, errs, code = h.ctl(t.Context(), "", "job", "few")
	require.Zero(t, code, errs)
	require.Contains(t, out, "few is done: 2 vectors of 64 numbers, 2 tokens, by house in the space house/m/64/raw\n")
	require.Equal(t, 4, h.paid())

	// Under its id nothing else is answered.
	_, errs, code = h.ctl(t.Context(), "", "embed", "--durable", "--id", "few", "t8")
	require.Equal(t, 1, code)
	require.Contains(t, errs, `the request id "few" is that of another request, whose result is still kept: choose an id that is used once`)
}

// Ctrl-C ends the waiting and not the request. The same command comes back to it, and does not send it again.
func TestEmbedDurableInterrupted(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.close()
	const n = 3000
	in, dir := corpusFile(t, "in.txt", strings.Split(strings.TrimSpace(texts(n)), "\n")...), t.TempDir()
	args := []string{"embed", "--durable", "--id", "long", "--file", in, "--out", filepath.Join(dir, "v.npy")}
	ctx, cancel := context.WithCancel(t.Context())
	type ending struct {
		errs string
		code int
	}
	ended := make(chan ending, 1)
	begin := func(ctx context.Context) {
		go func() {
			_, errs, code := h.ctl(ctx, "", args...)
			ended <- ending{errs, code}
		}()
	}
	begin(ctx)
	h.pass(1)
	h.eventually(t, "long", done(100))
	cancel()
	end := <-ended
	require.Equal(t, 130, end.code, end.errs)
	require.Contains(t, end.errs, "interrupted; the request goes on, and its result is kept. To come back to it:\n  mlsdmctl job long --watch --out "+
		filepath.Join(dir, "v.npy")+"\nor the same command with --id long.\n")
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, left, "nothing is left of the file")

	begin(t.Context())
	h.pass(1)
	h.eventually(t, "long", done(200))
	require.EqualValues(t, 1, h.stored(t, events.StreamRequests), "it is followed")
	// A request of another size is not taken for it.
	_, errs, code := h.ctl(t.Context(), "", "embed", "--durable", "--id", "long", "t1")
	require.Equal(t, 1, code)
	require.Contains(t, errs, `the request id "long" is that of another request, of 3,000 texts, which is being worked on`)
	h.open()
	end = <-ended
	require.Zero(t, end.code, end.errs)
	require.Contains(t, end.errs, "Request long of 3,000 texts was there already")
	requireMatrix(t, filepath.Join(dir, "v.npy"), n, -1)
	require.Equal(t, n, h.paid())

	// With names, only the same command brings all back.
	h.close()
	ctx, cancel = context.WithCancel(t.Context())
	shown := &liveTerminal{}
	codes := make(chan int, 1)
	in = corpusFile(t, "in.jsonl", `{"text":"t1","id":1}`)
	go func() {
		var stdout bytes.Buffer
		codes <- h.run(ctx, "", &stdout, shown, "embed", "--durable", "--id", "named", "--file", in, "--id-field", "id")
	}()
	shown.waitFor(t, "waiting for the result · ")
	cancel()
	require.Equal(t, 130, <-codes)
	shown.waitFor(t, "To come back to it, say the same command with --id named.\n")
}

// A request that fails says why, and so does its job.
func TestEmbedDurableFails(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.deny(http.StatusUnauthorized)
	_, errs, code := h.ctl(t.Context(), texts(300), "embed", "--durable", "--id", "denied")
	require.Equal(t, 1, code)
	require.Contains(t, errs, "the house refuses it")
	out, errs, code := h.ctl(t.Context(), "", "job", "denied")
	require.Zero(t, code, errs)
	require.Regexp(t, "^denied failed: .*the house refuses it", out)
	out, errs, code = h.ctl(t.Context(), "", "job", "denied", "--watch", "--json")
	require.Equal(t, 1, code)
	require.Contains(t, errs, "the house refuses it")
	var known map[string]any
	require.NoError(t, json.Unmarshal([]byte(out), &known))
	require.Equal(t, []any{"failed", true}, []any{known["state"], known["result_kept"]})
	name := filepath.Join(t.TempDir(), "v.npy")
	_, errs, code = h.ctl(t.Context(), "", "job", "denied", "--out", name)
	require.Equal(t, 1, code)
	require.Contains(t, errs, "the house refuses it")
	require.NoFileExists(t, name)

	require.NotContains(t, errs, "--nkey", "it is not the bus that refuses")
}

// What may pass by itself is said to, when the same is sent too early.
func TestEmbedDurableFailsForNow(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.deny(http.StatusServiceUnavailable)
	var errs string
	for _, want := range []string{"is stored", "was there already"} {
		var code int
		_, errs, code = h.ctl(t.Context(), "t1\n", "embed", "--durable", "--id", "busy")
		require.Equal(t, 1, code)
		require.Contains(t, errs, want)
	}
	require.Contains(t, errs, "When those are over the same command tries again.")
}

func TestEmbedDurableUsage(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t, bustest.Bare())
	for want, args := range map[string][]string{
		"say --durable, too":              {"--id", "a", "x"},
		"are for durable requests":        {"--no-wait", "x"},
		"--id, --no-wait and --keep":      {"--keep", "3h", "x"},
		"--id":                            {"--durable", "--id", "a.b", "x"},
		"leave one out":                   {"--durable", "--file", "f", "x"},
		"--no-wait waits for no vectors":  {"--durable", "--no-wait", "--out", "v.npy", "x"},
		"--keep is 1m0s; it must be 2m0s": {"--durable", "--keep", "1m", "x"},
		"to 24h0m0s":                      {"--durable", "--keep", "25h", "x"},
		"does not say in which format":    {"--durable", "--out", "x.csv", "x"},
		"dimensions is -1":                {"--durable", "--dimensions=-1", "x"},
		"are for JSON lines":              {"--durable", "--field", "a", "x"},
	} {
		out, errs, code := atServer(t.Context(), s, "", append([]string{"embed"}, args...)...)
		require.Equal(t, 2, code, errs)
		require.Contains(t, errs, want)
		require.Empty(t, out)
	}
	for args, want := range map[string]string{"a.b": `"a.b" is no id of a request`, "a --out v.csv": "does not say in which format"} {
		_, errs, code := atServer(t.Context(), s, "", append([]string{"job"}, strings.Fields(args)...)...)
		require.Equal(t, 2, code, errs)
		require.Contains(t, errs, want)
	}
}

// What cannot be sent as it is, is not sent.
func TestEmbedDurableInput(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t)
	many := texts(events.MaxDurableInputs + 1)
	for want, c := range map[string]struct {
		in   string
		args []string
	}{
		"nothing to embed: there is no text in the standard input":                                                    {in: "\n \n"},
		"line 2 of the standard input: the line is not valid UTF-8\nNothing was sent":                                 {in: "a\n\xff\n"},
		"line 1 of the standard input: field \"text\" is empty":                                                       {in: `{"text":""}`, args: []string{"--input-format", "jsonl"}},
		"line 5 of the standard input: the line is no JSON object\nand 2 others\nNothing was sent":                    {in: strings.Repeat("x\n", 7), args: []string{"--input-format", "jsonl"}},
		"has more than 100,000 texts, or 8,388,608 bytes of them: a durable request takes no more\nWithout --durable": {in: many},
		"bytes of them: a durable request takes no more\nWithout":                                                     {in: strings.Repeat(strings.Repeat("y", 1<<20)+"\n", 9)},
		"bytes; at most 8388608 are allowed\nWithout --durable":                                                       {in: strings.Repeat(strings.Repeat(`"`, 1<<19)+"\n", 15)},
		"bytes; the server takes at most 8388608\nWithout --durable":                                                  {in: strings.Repeat(strings.Repeat("z", 1<<19)+"\n", 15) + strings.Repeat("z", 1<<19-120)},
		"no such file": {args: []string{"--file", filepath.Join(t.TempDir(), "none")}},
	} {
		out, errs, code := atServer(t.Context(), s, c.in, append([]string{"embed", "--durable"}, c.args...)...)
		require.Equal(t, 1, code, errs)
		require.Contains(t, errs, want)
		require.Empty(t, out)
	}
	b := s.Connect(t, "test")
	n, err := b.StreamMessages(t.Context(), b.Subjects().StreamName(events.StreamRequests))
	require.NoError(t, err)
	require.Zero(t, n)

	// A file that another command has begun is not taken for one's own.
	name := filepath.Join(t.TempDir(), "v.npy")
	require.NoError(t, os.WriteFile(name, nil, 0o600))
	_, errs, code := atServer(t.Context(), s, "", "embed", "--durable", "--out", name, "x")
	require.Equal(t, 1, code)
	require.Contains(t, errs, "--overwrite replaces it")
}

// Nobody has to be there to take a request.
func TestEmbedDurableNoWait(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t)
	out, errs, code := atServer(t.Context(), s, "", "embed", "--durable", "--no-wait", "t1")
	require.Zero(t, code, errs)
	id := strings.TrimSpace(out)
	require.NoError(t, events.CheckToken("id", id))
	require.Contains(t, errs, "Request "+id+" of 1 texts is stored")
	out, errs, code = atServer(t.Context(), s, "t1\nt2\n", "embed", "--durable", "--no-wait", "--json", "--id", "mine", "--keep", "3h")
	require.Zero(t, code, errs)
	require.Empty(t, errs)
	require.JSONEq(t, `{"request_id":"mine","texts":2,"duplicate":false}`, out)
	out, _, code = atServer(t.Context(), s, "t1\nt2\n", "embed", "--durable", "--no-wait", "--json", "--id", "mine", "--keep", "3h")
	require.Zero(t, code)
	require.JSONEq(t, `{"request_id":"mine","texts":2,"duplicate":true}`, out)

	_, errs, code = atServer(t.Context(), s, "", "job", "mine")
	require.Equal(t, 1, code)
	require.Contains(t, errs, "unavailable")
	_, errs, code = atServer(t.Context(), s, "", "job", "mine", "--watch", "--timeout", "50ms")
	require.Equal(t, 1, code)
	require.Contains(t, errs, "nothing is known of a request \"mine\" of this caller")

	// Without streams nothing takes it.
	_, errs, code = atServer(t.Context(), bustest.Start(t, bustest.Bare()), "", "embed", "--durable", "--no-wait", "t1")
	require.Equal(t, 1, code)
	require.Contains(t, errs, "mlsdmctl provision")
}
