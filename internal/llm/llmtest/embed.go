package llmtest

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// RunEmbed runs the contract of [llm.EmbedAdapter] on an adapter whose server speaks a dialect. It is not for tests that are parallel:
// rows of it measure memory.
func RunEmbed(t *testing.T, d EmbedDialect) {
	t.Helper()
	for name, row := range map[string]func(*EmbedDialect, *testing.T){
		"answers":       (*EmbedDialect).answers,
		"forms":         (*EmbedDialect).forms,
		"nesting":       (*EmbedDialect).nesting,
		"wrong vectors": (*EmbedDialect).wrongVectors,
		"wrong counts":  (*EmbedDialect).wrongCounts,
		"wrong indexes": (*EmbedDialect).wrongIndexes,
		"dimensions":    (*EmbedDialect).dimensions,
		"requests":      (*EmbedDialect).requests,
		"tokens":        (*EmbedDialect).tokens,
		"outputs":       (*EmbedDialect).outputs,
		"keys":          (*EmbedDialect).keys,
		"errors":        (*EmbedDialect).errors,
		"too long":      (*EmbedDialect).tooLong,
		"leaves":        (*EmbedDialect).leaves,
		"together":      (*EmbedDialect).together,
		"truncated":     (*EmbedDialect).truncated,
		"content types": (*EmbedDialect).contentTypes,
		"large":         (*EmbedDialect).large,
		"hostile":       (*EmbedDialect).hostile,
		"secrets":       (*EmbedDialect).secrets,
		"mutated":       (*EmbedDialect).mutated,
	} {
		t.Run(name, func(t *testing.T) { row(&d, t) })
	}
}

// answers: the vectors arrive as they were sent, each at the place of its text.
func (d *EmbedDialect) answers(t *testing.T) {
	t.Parallel()
	for _, size := range []struct{ texts, dimensions int }{{1, 1}, {1, 8}, {2, 2}, {3, 1536}, {40, 16}} {
		t.Run(strconv.Itoa(size.texts)+" of "+strconv.Itoa(size.dimensions), func(t *testing.T) {
			t.Parallel()
			want := vectorsOf(size.texts, size.dimensions)
			reply := d.reply(want...)
			r := d.serve(t, d.says(reply))
			got, err := r.embed(t.Context(), texts(size.texts))
			require.NoError(t, err)
			require.Equal(t, want, got.Vectors)
			if d.Counts {
				require.Equal(t, reply.Tokens, got.PromptTokens)
			} else {
				require.Zero(t, got.PromptTokens)
			}
			require.EqualValues(t, 1, r.requests.Load(), "one request a call")
		})
	}
	if d.Indexed {
		t.Run("in another order", func(t *testing.T) {
			t.Parallel()
			want := vectorsOf(5, 3)
			reply := d.reply(want...)
			slices.Reverse(reply.Items)
			reply.Items[1], reply.Items[3] = reply.Items[3], reply.Items[1]
			got, err := d.serve(t, d.says(reply)).embed(t.Context(), texts(5))
			require.NoError(t, err)
			require.Equal(t, want, got.Vectors)
		})
	}
}

// check makes a call of two texts of which a failure is to come, and one request only.
func (d *EmbedDialect) check(t *testing.T, f Failing) {
	t.Helper()
	status := f.Status
	if status == 0 {
		status = http.StatusOK
	}
	r := d.serve(t, Answer(status, f.Body, f.Header...))
	before := time.Now()
	_, err := r.embed(t.Context(), texts(2))
	f.judge(t, d.fault(t, err), before)
	require.EqualValues(t, 1, r.requests.Load(), "one request a call, whatever comes of it")
}

// errors: answers with a status of their own, and errors inside of status 200.
func (d *EmbedDialect) errors(t *testing.T) {
	all := slices.Concat(d.Errors, (&Dialect{Error: d.Error}).statuses(), d.AnswerErrors)
	if d.InAnswer != nil {
		all = append(all, Failing{
			Name: "in an answer", Body: d.InAnswer("it says why"),
			Class: llm.ClassProvider, Code: events.CodeUnavailable, Retryable: true, Says: "it says why",
		})
	}
	for _, body := range []string{"", " ", "null", "true", "5", `"text"`, "{}", "[]", "{", "[", "nul", "<html>", "\ufeff{}", `{"detail":[]}`} {
		all = append(all, Failing{Name: fmt.Sprintf("answer %.10q", body), Body: body, Class: llm.ClassAnswer, Code: events.CodeInternal})
	}
	for _, f := range all {
		t.Run(f.Name, func(t *testing.T) {
			t.Parallel()
			d.check(t, f)
		})
	}
}

// tooLong: a text that is too long is known as that, so that it can be asked again otherwise.
func (d *EmbedDialect) tooLong(t *testing.T) {
	t.Parallel()
	require.GreaterOrEqual(t, d.TooLong.Status, 400, "how the server says that a text is too long")
	for _, truncate := range []bool{false, true} {
		call := texts(1)
		call.Truncate = truncate
		_, err := d.serve(t, Answer(d.TooLong.Status, d.TooLong.Body, d.TooLong.Header...)).embed(t.Context(), call)
		fault := d.fault(t, err)
		require.Equal(t, llm.ClassUnsupported, fault.Class, "%v", fault)
		require.Equal(t, events.CodeInvalidArgument, fault.Err.Code)
		require.False(t, fault.Err.Retryable)
		require.ErrorContains(t, fault, d.TooLong.Says)
		if truncate && !d.Truncates {
			require.ErrorContains(t, fault, "truncate", "it names what the server cannot do")
		}
	}
}

// together: many calls at the same time do not see each other.
func (d *EmbedDialect) together(t *testing.T) {
	t.Parallel()
	const calls, dimensions = 32, 64
	all := vectorsOf(calls, dimensions)
	r := d.serve(t, func(w http.ResponseWriter, req *http.Request) {
		body := readBody(req)
		for i, v := range all {
			if strings.Contains(string(body), fmt.Sprintf("call %d;", i)) {
				d.says(d.reply(v))(w, req)
			}
		}
	})
	errs := make([]error, calls)
	var group sync.WaitGroup
	for i := range calls {
		group.Go(func() {
			call := texts(1)
			call.Texts[0] = fmt.Sprintf("call %d; its text", i)
			got, err := r.embed(t.Context(), call)
			switch {
			case err != nil:
				errs[i] = err
			case !slices.Equal(all[i], got.Vectors[0]):
				errs[i] = fmt.Errorf("call %d has the vector of another", i)
			}
		})
	}
	group.Wait()
	for _, err := range errs {
		require.NoError(t, err)
	}
}
