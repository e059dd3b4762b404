package llmtest

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/hostiletest"
	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/wire"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
)

// truncated: an answer that is cut anywhere is no answer, whether the connection breaks or ends in good order; of a stream that is
// cut there is what came before, and it is taken for whole only if it is.
func (d *Dialect) truncated(t *testing.T) {
	replies := map[string]Reply{"text": d.text("Hello there, how are you?")}
	if d.Tools {
		replies["tool calls"] = d.calls("Wait. ", Called{"call_1", "weather", `{"city":"Kyiv","days":3}`}, Called{"call_2", "now", `{}`})
	}
	for name, reply := range replies {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			answer := strings.TrimSpace(d.Answer(reply))
			for _, at := range some(places(answer), cuts) {
				r, _ := d.recall(t, wire.TypeJSON, strings.NewReader(answer[:at]))
				_, err := r.chat(t.Context(), hello())
				require.Equal(t, llm.ClassAnswer, d.fault(t, err).Class, "cut at %d: %s", at, answer[:at])
				r, _ = d.recall(t, wire.TypeJSON, io.MultiReader(strings.NewReader(answer[:at]), iotest.ErrReader(io.ErrUnexpectedEOF)))
				_, err = r.chat(t.Context(), hello())
				require.Equal(t, llm.ClassNetwork, d.fault(t, err).Class, "broken at %d", at)
			}
			stream := strings.Join(d.Stream(reply), "")
			for _, at := range some(places(stream), cuts) {
				for _, end := range []error{io.EOF, io.ErrUnexpectedEOF} {
					r, m := d.recall(t, d.streamType(), io.MultiReader(strings.NewReader(stream[:at]), iotest.ErrReader(end)))
					out, sofar, err := r.stream(t.Context(), hello())
					require.True(t, m.closed.Load())
					if err == nil {
						require.Equal(t, reply.Said[0].Text, out.said[0].Text, "taken for whole when cut at %d", at)
						require.Len(t, out.said[0].Calls, len(reply.Said[0].Calls))
						continue
					}
					require.Contains(t, []llm.Class{llm.ClassAnswer, llm.ClassNetwork}, d.fault(t, err).Class, "cut at %d", at)
					if said := sofar.said[0]; said != nil {
						require.True(t, strings.HasPrefix(reply.Said[0].Text, said.Text), "%q", said.Text)
					}
				}
			}
		})
	}
}

// cuts is at how many places an answer is cut.
const cuts = 200

// places are all places in a text.
func places(text string) []int {
	all := make([]int, len(text))
	for i := range all {
		all[i] = i
	}
	return all
}

// contentTypes: what is of another type is not read.
func (d *Dialect) contentTypes(t *testing.T) {
	both(t, func(t *testing.T, streamed bool) {
		want := wire.TypeJSON
		if streamed {
			want = d.streamType()
		}
		for _, kind := range []string{"text/html; charset=utf-8", "text/plain", "image/png", "application/octet-stream", "json", "/", ""} {
			r := d.serve(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header()["Content-Type"] = []string{kind}
				write(w, "<html>secret page</html>")
			})
			fault := d.fault(t, r.ask(t.Context(), hello(), streamed))
			require.Equal(t, llm.ClassAnswer, fault.Class, kind)
			require.ErrorContains(t, fault, want)
			require.NotContains(t, fault.Error(), "secret page")
		}
		other := d.streamType()
		if streamed {
			other = wire.TypeJSON
		}
		r := d.serve(t, Answer(http.StatusOK, d.Answer(d.text("hi")), "Content-Type: "+other))
		require.Equal(t, llm.ClassAnswer, d.fault(t, r.ask(t.Context(), hello(), streamed)).Class)
		r = d.serve(t, func(w http.ResponseWriter, req *http.Request) { // the same in another spelling
			w.Header().Set("Content-Type", strings.ToUpper(want)+" ; charset=UTF-8")
			text := d.Answer(d.text("hi"))
			if streamed {
				text = strings.Join(d.Stream(d.text("hi")), "")
			}
			write(w, text)
		})
		require.NoError(t, r.ask(t.Context(), hello(), streamed))
	})
}

// redirects are not followed: the key, or the prompt, would go somewhere else.
func (d *Dialect) redirects(t *testing.T) {
	both(t, func(t *testing.T, streamed bool) {
		for _, status := range []int{301, 302, 303, 307, 308} {
			var asked atomic.Int64
			elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
			t.Cleanup(elsewhere.Close)
			r := d.serve(t, Answer(status, "", "Location: "+elsewhere.URL))
			require.Equal(t, llm.ClassAnswer, d.fault(t, r.ask(t.Context(), hello(), streamed)).Class, strconv.Itoa(status))
			require.Zero(t, asked.Load())
		}
	})
}

// large: 10 MB are an answer, what goes beyond the bounds is refused before it fills the memory.
func (d *Dialect) large(t *testing.T) {
	const size = 10 << 20
	reply := d.text(long(size))
	r, _ := d.recall(t, wire.TypeJSON, strings.NewReader(d.Answer(reply)))
	out, err := r.chat(t.Context(), hello())
	require.NoError(t, err)
	require.Len(t, out.said[0].Text, size)

	reply = d.text(strings.Repeat("x", size))
	r, _ = d.recall(t, d.streamType(), strings.NewReader(strings.Join(d.Stream(reply), "")))
	out, _, err = r.stream(t.Context(), hello())
	require.NoError(t, err)
	require.Len(t, out.said[0].Text, size)

	blanks := &endless{text: strings.Repeat(" ", 4096)}
	for name, c := range map[string]struct {
		start    string
		streamed bool
		most     int64
	}{
		"plain":           {`{"pad":"`, false, wire.MaxAnswer + 1<<20},
		"plain of blanks": {"", false, wire.MaxAnswer + 1<<20},
		"and then blanks": {d.Answer(d.text("hi")), false, wire.MaxAnswer + 1<<20},
		"stream":          {d.Stream(d.text("hi"))[0] + `data: {"pad":"`, true, 4 << 20},
	} {
		blanks.served = 0
		kind := wire.TypeJSON
		if c.streamed {
			kind = d.streamType()
		}
		before := allocated()
		r, m := d.recall(t, kind, io.MultiReader(strings.NewReader(c.start), blanks))
		require.Equal(t, llm.ClassAnswer, d.fault(t, r.ask(t.Context(), hello(), c.streamed)).Class, name)
		require.LessOrEqual(t, blanks.served, c.most, name)
		require.Less(t, allocated()-before, uint64(8*wire.MaxAnswer), name)
		require.True(t, m.closed.Load())
	}
}

// manyCalls: an answer with more calls than any model makes is refused, before they are compared with each other or fill the memory.
func (d *Dialect) manyCalls(t *testing.T) {
	if !d.Tools {
		return
	}
	const many = 100_000
	calls := make([]Called, many)
	for i := range calls {
		calls[i] = Called{"call_" + strconv.Itoa(i), "f", "{}"}
	}
	reply := d.calls("", calls...)
	r, _ := d.recall(t, wire.TypeJSON, strings.NewReader(d.Answer(reply)))
	require.Equal(t, llm.ClassAnswer, d.fault(t, r.ask(t.Context(), hello(), false)).Class)
	r, _ = d.recall(t, d.streamType(), strings.NewReader(strings.Join(d.Stream(reply), "")))
	require.Equal(t, llm.ClassAnswer, d.fault(t, r.ask(t.Context(), hello(), true)).Class)
}

// allocated is how much this process has allocated until now, in bytes.
func allocated() uint64 {
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.TotalAlloc
}

// hostile: servers that inflate, lie and never end.
func (d *Dialect) hostile(t *testing.T) {
	for name, streamed := range map[string]bool{"plain": false, "stream": true} {
		t.Run(name, func(t *testing.T) {
			c := hostiletest.Client{Most: wire.MaxAnswer, Ask: func(ctx context.Context, url string) error {
				client := llm.NewHTTPClient()
				t.Cleanup(client.CloseIdleConnections)
				call := hello()
				call.Key = secret.NewValue("key")
				r := &rig{d: d, adapter: d.New(t, url, client)}
				return r.ask(ctx, call, streamed)
			}}
			if streamed {
				c.ContentType = d.streamType()
			}
			c.Run(t)
		})
	}
}
