package bulk_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/cmd/mlsdmctl/internal/bulk"
	"github.com/neuron7x/mlsdm-integrations/cmd/mlsdmctl/internal/corpus"
	"github.com/neuron7x/mlsdm-integrations/cmd/mlsdmctl/internal/vectorfile"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// model answers each text "tN" with the vector [N, 1]. Before that it asks what there is against it.
type model struct {
	object func(call int, texts []string) error
	space  func(call int) string
	wait   func(texts []string)

	mu    sync.Mutex
	calls int
	asked map[string]int
	now   int
	most  int // at the same time
	sizes []int
}

func (m *model) embed(_ context.Context, texts []string) (*events.EmbeddingsResponse, error) {
	m.mu.Lock()
	m.calls++
	call := m.calls
	m.now++
	m.most = max(m.most, m.now)
	m.mu.Unlock()
	if m.wait != nil {
		m.wait(texts)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.now--
	if m.object != nil {
		if err := m.object(call, texts); err != nil {
			return nil, err
		}
	}
	m.sizes = append(m.sizes, len(texts))
	resp := &events.EmbeddingsResponse{Model: "a/m", Usage: events.EmbeddingsUsage{TotalTokens: len(texts)}}
	if m.space != nil {
		resp.Space = &events.EmbeddingSpace{ID: m.space(call), Model: "m", Dimensions: 2}
	}
	for i, text := range texts {
		if m.asked == nil {
			m.asked = make(map[string]int)
		}
		m.asked[text]++
		d := events.Embedding{Index: i}
		if n, err := strconv.Atoi(strings.TrimPrefix(text, "t")); err == nil {
			d.Embedding.Values = []float32{float32(n), 1}
		} else {
			d.Error = &events.ErrorBody{Code: events.CodeInvalidArgument, Message: text + " is no text"}
		}
		resp.Data = append(resp.Data, d)
	}
	return resp, nil
}

// texts are the lines t0 … tn-1, of which some are replaced.
func texts(n int, other map[int]string) string {
	var b strings.Builder
	for i := range n {
		text, ok := other[i]
		if !ok {
			text = fmt.Sprintf("t%d", i)
		}
		b.WriteString(text + "\n")
	}
	return b.String()
}

// job is a job that goes on with what there is in dir.
func job(t *testing.T, dir, in string, m *model) *bulk.Job {
	t.Helper()
	out, err := vectorfile.Open(filepath.Join(dir, "v.npy"), vectorfile.Ask{Format: vectorfile.NPY}, false)
	require.NoError(t, err)
	r := corpus.New(strings.NewReader(in), corpus.Format{})
	require.NoError(t, r.Skip(out.State().Input))
	return &bulk.Job{Embed: m.embed, In: r, Out: out, Batch: 64, Parallel: 4, Patience: time.Minute, Told: func(vectorfile.State) {}}
}

// numbers reads the first number of each row; -1 for rows of zeros.
func numbers(t *testing.T, dir string) []int {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, "v.npy"))
	require.NoError(t, err)
	var got []int
	for row := range slices.Chunk(b[128:], 8) {
		if bytes.Equal(row, make([]byte, 8)) {
			got = append(got, -1)
			continue
		}
		got = append(got, int(math.Float32frombits(binary.LittleEndian.Uint32(row))))
	}
	return got
}

// done finishes a job that came to its end.
func done(t *testing.T, j *bulk.Job) {
	t.Helper()
	require.NoError(t, j.Out.Finish())
	require.NoError(t, j.Out.Close())
}

// counted are 0 … n-1, of which some are -1.
func counted(n int, without ...int) []int {
	got := make([]int, n)
	for i := range got {
		if got[i] = i; slices.Contains(without, i) {
			got[i] = -1
		}
	}
	return got
}

func TestRun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		// What is asked last is answered first.
		m := &model{}
		m.wait = func(texts []string) {
			n, err := strconv.Atoi(texts[0][1:])
			if err != nil {
				t.Error(err)
			}
			wait(time.Duration(10000-n) * time.Millisecond)
		}
		var told []int
		j := job(t, dir, texts(1000, map[int]string{500: ""}), m)
		j.Told = func(s vectorfile.State) { told = append(told, s.Rows) }
		require.NoError(t, j.Run(t.Context()))
		done(t, j)
		require.Equal(t, slices.Delete(counted(1000), 500, 501), numbers(t, dir), "in order, and empty lines are no rows")
		require.Equal(t, 4, m.most)
		require.Equal(t, []int{16, 64}, m.sizes[:2], "the first is small")
		require.Equal(t, 999, told[len(told)-1])
		require.True(t, slices.IsSorted(told))
		require.Equal(t, vectorfile.Space{ID: "a/m/2", Model: "a/m", Dimensions: 2}, j.Out.State().Space, "a service that names no space")
		require.Equal(t, []int{999, 1}, []int{j.Out.State().Tokens, j.Out.State().Input.Empty})
	})
}

// wait waits inside of a bubble.
func wait(d time.Duration) { <-time.After(d) }

// A text that spoils its request is found, and its neighbours have their vectors.
func TestOneBadText(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	m := &model{object: func(_ int, texts []string) error {
		if slices.Contains(texts, "poison") {
			return events.Errorf(events.CodeInvalidArgument, "something is wrong with the request")
		}
		return nil
	}}
	j := job(t, dir, texts(200, map[int]string{77: "poison", 90: "bad", 120: "\xff"}), m)
	require.NoError(t, j.Run(t.Context()))
	done(t, j)
	require.Equal(t, counted(200, 77, 90, 120), numbers(t, dir))
	require.Equal(t, 3, j.Out.State().Failed)
	faults, err := os.ReadFile(j.Out.Errors())
	require.NoError(t, err)
	for _, want := range []string{`"line":78,"index":77`, "something is wrong", `"line":91,"index":90`, "bad is no text", `"line":121,"index":120`, "not valid UTF-8"} {
		require.Contains(t, string(faults), want)
	}
}

// When nothing goes, that is said at once, and nothing is left.
func TestNothingGoes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	m := &model{object: func(int, []string) error { return events.Errorf(events.CodeInvalidArgument, "dimensions is 7") }}
	j := job(t, dir, texts(5000, nil), m)
	err := j.Run(t.Context())
	require.ErrorIs(t, err, bulk.ErrNothing)
	require.ErrorContains(t, err, "of the first 16; that of line 1: dimensions is 7")
	require.NoError(t, j.Out.Close())
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, left)

	j = job(t, dir, texts(5000, nil), m)
	j.SkipErrors = true
	require.ErrorIs(t, j.Run(t.Context()), bulk.ErrNothing, "that has its end too")
	require.NoError(t, j.Out.Close())

	m.object = func(int, []string) error { return events.Errorf(events.CodeNotFound, "there is no model x") }
	m.calls = 0
	j = job(t, t.TempDir(), texts(5000, nil), m)
	require.Equal(t, events.CodeNotFound, events.CodeOf(j.Run(t.Context())))
	require.Equal(t, 1, m.calls)
	require.NoError(t, j.Out.Close())

	dir = t.TempDir()
	j = job(t, dir, texts(100, map[int]string{0: "bad", 20: "t20"}), &model{})
	j.Batch, j.SkipErrors = 1, true
	require.NoError(t, j.Run(t.Context()))
	done(t, j)
	require.Equal(t, counted(100, 0), numbers(t, dir), "the row of the first, of which the length was not known")
}

func TestTriesAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		m := &model{object: func(call int, _ []string) error {
			if call%3 != 0 {
				return events.Errorf(events.CodeUnavailable, "not now")
			}
			return nil
		}}
		j := job(t, dir, texts(300, nil), m)
		require.NoError(t, j.Run(t.Context()))
		done(t, j)
		require.Equal(t, counted(300), numbers(t, dir))

		begun := time.Now()
		m.object = func(int, []string) error {
			e := events.Errorf(events.CodeRateLimited, "too many")
			e.RetryAfter = 20 * time.Second
			return e
		}
		j = job(t, t.TempDir(), texts(300, nil), m)
		require.Equal(t, events.CodeRateLimited, events.CodeOf(j.Run(t.Context())))
		require.Equal(t, time.Minute, time.Since(begun).Truncate(10*time.Second), "as it was told, and not for ever")
		require.NoError(t, j.Out.Close())
	})
}

// A request that is too large, or takes too long, becomes two, and those behind it are smaller.
func TestTooMuchAtOnce(t *testing.T) {
	t.Parallel()
	for _, code := range []events.Code{events.CodeInvalidArgument, events.CodeDeadlineExceeded} {
		dir := t.TempDir()
		m := &model{object: func(_ int, texts []string) error {
			if len(texts) > 20 {
				return events.Errorf(code, "too much")
			}
			return nil
		}}
		j := job(t, dir, texts(2000, nil), m)
		j.Parallel = 1
		require.NoError(t, j.Run(t.Context()))
		done(t, j)
		require.Equal(t, counted(2000), numbers(t, dir))
		require.Less(t, m.calls-len(m.sizes), 20, "requests in vain")
	}
}

// Vectors of two spaces never come into one file, and what is right stays.
func TestSpaceChanges(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	m := &model{space: func(call int) string {
		if call > 3 {
			return "other/2"
		}
		return "m/2"
	}}
	j := job(t, dir, texts(1000, nil), m)
	j.Parallel = 1
	require.ErrorIs(t, j.Run(t.Context()), vectorfile.ErrSpace)
	require.Equal(t, 16+64+64, j.Out.State().Rows)
	require.NoError(t, j.Out.Close())
	j = job(t, dir, texts(1000, nil), m)
	require.ErrorIs(t, j.Run(t.Context()), vectorfile.ErrSpace, "nor after another start")
	require.NoError(t, j.Out.Close())
	m.calls = -1000
	j = job(t, dir, texts(1000, nil), m)
	require.NoError(t, j.Run(t.Context()))
	done(t, j)
	require.Equal(t, counted(1000), numbers(t, dir))
}

// Who stops waits for the requests on their way, and pays for no text twice.
func TestStopAndGoOn(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	m := &model{}
	for {
		ctx, cancel := context.WithCancelCause(t.Context())
		stopped := errors.New("somebody pressed Ctrl-C")
		j := job(t, dir, texts(2000, nil), m)
		before := j.Out.State().Rows
		j.Told = func(s vectorfile.State) {
			if s.Rows >= before+300 {
				cancel(stopped)
			}
		}
		err := j.Run(ctx)
		if err == nil {
			done(t, j)
			break
		}
		require.ErrorIs(t, err, stopped)
		require.Greater(t, j.Out.State().Rows, before)
		require.NoError(t, j.Out.Close())
	}
	require.Equal(t, counted(2000), numbers(t, dir))
	require.Len(t, m.asked, 2000)
	for text, times := range m.asked {
		require.Equal(t, 1, times, text)
	}
}

// An input that is silent does not keep anybody from stopping.
func TestStopWhileTheInputIsSilent(t *testing.T) {
	t.Parallel()
	in, silent, err := os.Pipe()
	require.NoError(t, err)
	defer in.Close()
	defer silent.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	j := job(t, t.TempDir(), "", &model{})
	j.In = corpus.New(in, corpus.Format{})
	require.ErrorIs(t, j.Run(ctx), context.DeadlineExceeded)
	require.NoError(t, j.Out.Close())
}

// Long texts are fewer in a request, and each of them goes out once.
func TestLongTexts(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	long := map[int]string{}
	for i := range 40 {
		long[i] = "t" + strings.Repeat("0", 100<<10) + strconv.Itoa(i)
	}
	m := &model{object: func(_ int, texts []string) error {
		if len(strings.Join(texts, "")) > 600<<10 {
			return errors.New("a message that is too long")
		}
		return nil
	}}
	j := job(t, dir, texts(60, long), m)
	require.NoError(t, j.Run(t.Context()))
	done(t, j)
	require.Equal(t, counted(60), numbers(t, dir))
}
