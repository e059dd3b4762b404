package llmtest

import (
	"maps"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// RunAdapter runs the contract of [llm.Adapter] on an adapter whose server speaks a dialect. It is not for tests that are parallel:
// rows of it measure memory.
func RunAdapter(t *testing.T, d Dialect) {
	t.Helper()
	for name, row := range map[string]func(*Dialect, *testing.T){
		"answers":       (*Dialect).answers,
		"finish":        (*Dialect).finishes,
		"paid":          (*Dialect).paid,
		"errors":        (*Dialect).errors,
		"answer errors": (*Dialect).answerErrors,
		"refusals":      (*Dialect).refusals,
		"requests":      (*Dialect).requests,
		"keys":          (*Dialect).keys,
		"pings":         (*Dialect).pings,
		"give up":       (*Dialect).giveUp,
		"leaves":        (*Dialect).leaves,
		"together":      (*Dialect).together,
		"truncated":     (*Dialect).truncated,
		"content types": (*Dialect).contentTypes,
		"redirects":     (*Dialect).redirects,
		"large":         (*Dialect).large,
		"hostile":       (*Dialect).hostile,
		"many calls":    (*Dialect).manyCalls,
		"secrets":       (*Dialect).secrets,
		"mutated":       (*Dialect).mutated,
	} {
		if d.Wrapped && slices.Contains([]string{"truncated", "large", "hostile", "mutated"}, name) {
			continue
		}
		t.Run(name, func(t *testing.T) { row(&d, t) })
	}
}

// Replies are the replies that everybody has to read, plain and streamed, by name.
func (d *Dialect) Replies() map[string]Reply {
	all := map[string]Reply{
		"text":     d.text("Hello there, how are you?"),
		"unicode":  d.text("naïve 日本語 🙂 \"quoted\" \\ \n\t\u0001 </script> \u2028 end"),
		"one word": d.text("yes"),
	}
	one := Called{"call_1", "weather", `{"city":"Kyiv","days":3}`}
	if d.Tools {
		all["tool call"] = d.calls("", one)
		all["tool call after text"] = d.calls("Let me look. ", one)
		all["tool call without arguments"] = d.calls("", Called{"call_1", "now", `{}`})
		all["parallel tool calls"] = d.calls("", one, Called{"call_2", "weather", `{"city":"Львів","note":"a \"b\" {c}"}`}, Called{"call_3", "now", `{}`})
	}
	if d.Choices {
		several := d.text("first choice")
		several.Said = append(several.Said, Said{Text: "second one", Finish: d.word(events.FinishLength)}, Said{Text: "third", Finish: d.word(events.FinishStop)})
		all["choices"] = several
	}
	return all
}

// expect is what an adapter has to make of a reply.
func (d *Dialect) expect(t *testing.T, r Reply, got *outcome) {
	t.Helper()
	require.Len(t, got.said, len(r.Said))
	for i, want := range r.Said {
		said := got.said[i]
		require.Equal(t, want.Text, said.Text)
		require.Len(t, said.Calls, len(want.Calls))
		for j, call := range want.Calls {
			if !d.OwnIDs {
				require.Equal(t, call.ID, said.Calls[j].ID)
			}
			require.Equal(t, call.Name, said.Calls[j].Name)
			require.JSONEq(t, call.Arguments, said.Calls[j].Arguments)
		}
		finish := d.Finishes[want.Finish]
		if len(want.Calls) > 0 {
			finish = events.FinishToolCalls
		}
		require.Equal(t, finish, said.Finish)
	}
	require.NotNil(t, got.usage, "the usage is told")
	require.Equal(t, r.Usage, *got.usage)
}

// answers: what the server says arrives, and as a stream it is the same.
func (d *Dialect) answers(t *testing.T) {
	for name, reply := range d.Replies() {
		t.Run(name, func(t *testing.T) {
			both(t, func(t *testing.T, streamed bool) {
				r := d.serve(t, d.says(reply, streamed))
				if streamed {
					out, _, err := r.stream(t.Context(), hello())
					require.NoError(t, err)
					d.expect(t, reply, out)
				} else {
					out, err := r.chat(t.Context(), hello())
					require.NoError(t, err)
					d.expect(t, reply, out)
				}
				require.EqualValues(t, 1, r.requests.Load())
			})
		})
	}
}

// paid: an answer that cannot be used has been paid for.
func (d *Dialect) paid(t *testing.T) {
	reply := d.text("some text")
	reply.Said[0].Finish = "tired"
	r := d.serve(t, d.says(reply, false))
	fault := d.fault(t, r.ask(t.Context(), hello(), false))
	require.Equal(t, llm.ClassAnswer, fault.Class)
	used, err := usageOf(fault.Usage)
	require.NoError(t, err)
	require.Equal(t, &reply.Usage, used)
}

// finishes: every reason to stop is one of ours.
func (d *Dialect) finishes(t *testing.T) {
	for theirs, ours := range d.Finishes {
		t.Run(theirs, func(t *testing.T) {
			both(t, func(t *testing.T, streamed bool) {
				reply := d.text("some text")
				if ours == events.FinishToolCalls {
					reply = d.calls("", Called{"call_1", "now", `{}`})
				}
				reply.Said[0].Finish = theirs
				r := d.serve(t, d.says(reply, streamed))
				var out *outcome
				var err error
				if streamed {
					out, _, err = r.stream(t.Context(), hello())
				} else {
					out, err = r.chat(t.Context(), hello())
				}
				require.NoError(t, err)
				require.Equal(t, ours, out.said[0].Finish)
			})
		})
	}
}

// check makes a call of which a failure is to come, and one request only.
func (d *Dialect) check(t *testing.T, f Failing, streamed bool) {
	t.Helper()
	status, header := f.Status, f.Header
	if status == 0 {
		status = http.StatusOK
		if streamed {
			header = append([]string{"Content-Type: " + d.streamType()}, header...)
		}
	}
	r := d.serve(t, Answer(status, f.Body, header...))
	before := time.Now()
	fault := d.fault(t, r.ask(t.Context(), hello(), streamed))
	f.judge(t, fault, before)
	require.EqualValues(t, 1, r.requests.Load(), "one request a call, whatever comes of it")
}

// judge checks what was made of an answer that is a failure.
func (f Failing) judge(t *testing.T, fault *llm.Fault, before time.Time) {
	t.Helper()
	require.Equal(t, f.Class, fault.Class, "%v", fault)
	require.Equal(t, f.Code, fault.Err.Code, "%v", fault)
	require.Equal(t, f.Retryable, fault.Err.Retryable, "%v", fault)
	require.ErrorContains(t, fault, f.Says)
	if f.RetryAfter == 0 {
		require.Zero(t, fault.Err.RetryAfter)
		require.Zero(t, fault.Until)
	} else {
		late := time.Since(before) + time.Second
		if f.RetryAfter >= time.Hour { // a date: it is cut to the second, and was made with the list of failures
			late += patience
		}
		require.InDelta(t, f.RetryAfter, fault.Err.RetryAfter, float64(late))
		require.WithinDuration(t, before.Add(f.RetryAfter), fault.Until, late)
	}
}

// errors: answers with a status of their own.
func (d *Dialect) errors(t *testing.T) {
	require.NotEmpty(t, d.Errors)
	for _, f := range append(slices.Clone(d.Errors), d.statuses()...) {
		t.Run(f.Name, func(t *testing.T) {
			both(t, func(t *testing.T, streamed bool) { d.check(t, f, streamed) })
		})
	}
}

// answerErrors: errors, and what is no answer, inside of status 200.
func (d *Dialect) answerErrors(t *testing.T) {
	for _, f := range d.AnswerErrors {
		t.Run("plain "+f.Name, func(t *testing.T) {
			t.Parallel()
			d.check(t, f, false)
		})
	}
	for _, f := range d.StreamErrors {
		t.Run("stream "+f.Name, func(t *testing.T) {
			t.Parallel()
			d.check(t, f, true)
		})
	}
}

// refusals: what cannot be honoured is named, and nothing is sent.
func (d *Dialect) refusals(t *testing.T) {
	for _, field := range slices.Sorted(maps.Keys(d.Refuses)) {
		t.Run(field, func(t *testing.T) {
			both(t, func(t *testing.T, streamed bool) {
				r := d.serve(t, d.says(d.text("hi"), streamed))
				call := hello()
				call.Request = request(t, d.Refuses[field])
				fault := d.fault(t, r.ask(t.Context(), call, streamed))
				require.Equal(t, "unsupported", string(fault.Class), "%v", fault)
				require.Equal(t, events.CodeUnsupported, fault.Err.Code)
				require.ErrorContains(t, fault, field)
				require.Zero(t, r.requests.Load(), "it was sent")
			})
		})
	}
}
