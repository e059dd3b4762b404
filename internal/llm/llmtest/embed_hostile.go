package llmtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/hostiletest"
	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/wire"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// leaves: who leaves is answered, and the connection is closed, whether the answer has begun or not.
func (d *EmbedDialect) leaves(t *testing.T) {
	answer := d.Answer(d.reply(vectorsOf(2, 64)...))
	chat := &Dialect{Provider: d.Provider}
	for name, way := range chat.departures() {
		for point, part := range map[string]string{"before the answer": "", "in the middle": answer[:len(answer)/2], "before its end": answer[:len(answer)-1]} {
			t.Run(name+" "+point, func(t *testing.T) {
				t.Parallel()
				ctx, now := way.leave(t)
				reached := make(chan struct{})
				r := d.serve(t, func(w http.ResponseWriter, req *http.Request) {
					if part != "" {
						w.Header().Set("Content-Type", wire.TypeJSON)
						write(w, part)
					}
					close(reached)
					<-req.Context().Done()
				})
				done := make(chan error, 1)
				go func() {
					_, err := r.embed(ctx, texts(2))
					done <- err
				}()
				select {
				case <-reached:
					now()
					way.check(t, chat.finished(t, done))
				case err := <-done: // the time was up before the server had the request
					way.check(t, err)
				}
				(&rig{server: r.server}).gone(t)
			})
		}
	}
	t.Run("gone before it began", func(t *testing.T) {
		t.Parallel()
		r := d.serve(t, d.says(d.reply(vectorsOf(2, 2)...)))
		checkEnded(t, func(ctx context.Context) error {
			_, err := r.embed(ctx, texts(2))
			return d.fault(t, err)
		})
	})
}

// truncated: an answer that is cut anywhere is no answer, whether the connection breaks or ends in good order.
func (d *EmbedDialect) truncated(t *testing.T) {
	t.Parallel()
	replies := map[string]EmbedReply{"numbers": d.reply(vectorsOf(2, 6)...)}
	if d.Base64 {
		replies["base64"] = d.raw(Packed(vectorsOf(1, 6)[0]...), Packed(vectorsOf(2, 6)[1]...))
	}
	for name, reply := range replies {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			answer := strings.TrimSpace(d.Answer(reply))
			for _, at := range some(places(answer), cuts) {
				require.Equal(t, llm.ClassAnswer, d.fails(t, texts(2), answer[:at]).Class, "cut at %d: %s", at, answer[:at])
				r, m := d.recall(t, io.MultiReader(strings.NewReader(answer[:at]), iotest.ErrReader(io.ErrUnexpectedEOF)))
				_, err := r.embed(t.Context(), texts(2))
				require.Equal(t, llm.ClassNetwork, d.fault(t, err).Class, "broken at %d", at)
				require.True(t, m.closed.Load())
			}
			for _, tail := range []string{"x", "{}", "]", "}", ",", "null", answer} {
				require.Equal(t, llm.ClassAnswer, d.fails(t, texts(2), answer+tail).Class, "with %.10q behind it", tail)
			}
		})
	}
}

// contentTypes: what is of another type is not read, and redirects are not followed: the key, or the texts, would go somewhere else.
func (d *EmbedDialect) contentTypes(t *testing.T) {
	t.Parallel()
	good := d.Answer(d.reply(vectorsOf(2, 2)...))
	for _, kind := range []string{"text/html; charset=utf-8", "text/plain", "application/octet-stream", "text/event-stream", "application/x-ndjson", "json", "/", ""} {
		r, m := d.recall(t, strings.NewReader(good), "Content-Type: "+kind)
		_, err := r.embed(t.Context(), texts(2))
		fault := d.fault(t, err)
		require.Equal(t, llm.ClassAnswer, fault.Class, kind)
		require.ErrorContains(t, fault, wire.TypeJSON)
		require.True(t, m.closed.Load())
	}
	r, _ := d.recall(t, strings.NewReader(good), "Content-Type: Application/JSON ; charset=UTF-8")
	_, err := r.embed(t.Context(), texts(2))
	require.NoError(t, err)
	for _, status := range []int{301, 302, 303, 307, 308} {
		var asked atomic.Int64
		elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
		t.Cleanup(elsewhere.Close)
		_, err := d.serve(t, Answer(status, "", "Location: "+elsewhere.URL)).embed(t.Context(), texts(2))
		require.Equal(t, llm.ClassAnswer, d.fault(t, err).Class, "%d", status)
		require.Zero(t, asked.Load())
	}
}

// large: 10 MB are an answer to many texts, what goes beyond the bounds is refused before it fills the memory.
func (d *EmbedDialect) large(t *testing.T) {
	want := vectorsOf(96, 10<<20/96/11)
	body := d.Answer(d.reply(want...))
	require.Greater(t, len(body), 10_000_000)
	r, _ := d.recall(t, strings.NewReader(body))
	got, err := r.embed(t.Context(), texts(len(want)))
	require.NoError(t, err)
	require.Equal(t, want, got.Vectors)

	begin, _, found := strings.Cut(d.Answer(d.raw("[@]")), "[@]")
	require.True(t, found)
	for name, c := range map[string]struct{ start, more string }{
		"blanks":              {"", " "},
		"and then blanks":     {d.Answer(d.reply(vectorsOf(1, 2)...)), " "},
		"text":                {`{"pad":"`, "x"},
		"a vector":            {begin + "[1", ",1"},
		"a vector of vectors": {begin + "[[1]", ",[1]"},
		"vectors":             {begin + "[1]", "," + strings.TrimPrefix(begin, "{") + "[1]"},
		"lists":               {begin, "["},
		"a number":            {begin + "[1", "0"},
		"base64":              {begin + `"AAAA`, "AAAA"},
	} {
		before := allocated()
		more := &endless{text: strings.Repeat(c.more, 4096/len(c.more)+1)}
		r, m := d.recall(t, io.MultiReader(strings.NewReader(c.start), more))
		_, err := r.embed(t.Context(), texts(1))
		require.Equal(t, llm.ClassAnswer, d.fault(t, err).Class, name)
		require.LessOrEqual(t, more.served, int64(wire.MaxAnswer+1<<20), name)
		require.Less(t, allocated()-before, uint64(8*wire.MaxAnswer), name)
		require.True(t, m.closed.Load())
	}
}

// hostile: servers that inflate, lie and never end.
func (d *EmbedDialect) hostile(t *testing.T) {
	hostiletest.Client{Most: wire.MaxAnswer, Ask: func(ctx context.Context, url string) error {
		client := llm.NewHTTPClient()
		t.Cleanup(client.CloseIdleConnections)
		call := texts(1)
		call.Key = secret.NewValue("key")
		_, err := d.New(t, url, client).Embed(ctx, call)
		return err
	}}.Run(t)
}

// parrots are servers that repeat the key.
func (d *EmbedDialect) parrots() map[string]http.HandlerFunc {
	const said = "bad header: Bearer " + canary + "!"
	all := map[string]http.HandlerFunc{
		"error body":              Answer(401, d.Error(said)),
		"error body, URL-encoded": Answer(500, d.Error("bad query: key="+url.QueryEscape(canary))),
		"the other bound":         Answer(403, d.Error(strings.Repeat("x", 2030)+canary)),
		"too long":                Answer(d.TooLong.Status, strings.ReplaceAll(d.TooLong.Body, d.TooLong.Says, d.TooLong.Says+" "+canary)),
		"a vector":                Answer(200, d.Answer(d.raw(`"`+canary+`"`, `[1,2]`))),
		"a number":                Answer(200, d.Answer(d.raw(`["`+canary+`"]`, `[1,2]`))),
		"a name":                  Answer(200, `{"`+canary+`":"`+canary+`"}`),
	}
	if d.Indexed {
		reply := d.reply(vectorsOf(2, 2)...)
		reply.Items[1].Index = `"` + canary + `"`
		all["an index"] = Answer(200, d.Answer(reply))
	}
	if d.InAnswer != nil {
		all["error in an answer"] = Answer(200, d.InAnswer(said))
	}
	chat := &Dialect{Error: d.Error, Answer: func(Reply) string { return canary }, Stream: func(Reply) []string { return []string{canary} }}
	maps.Copy(all, chat.parrots())
	return all
}

// secrets: whatever a server says, the key does not come out in an error, in its cause, or in a log of either.
func (d *EmbedDialect) secrets(t *testing.T) {
	for name, handler := range d.parrots() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := d.serve(t, handler)
			call := texts(2)
			call.Key = secret.NewValue(" " + canary + "\n")
			_, err := r.embed(t.Context(), call)
			fault := d.fault(t, err)
			var log bytes.Buffer
			for _, h := range []slog.Handler{slog.NewJSONHandler(&log, nil), slog.NewTextHandler(&log, nil)} {
				slog.New(h).Error("failed", "err", fault, "adapter", r.adapter, "call", call)
			}
			_, body := events.EncodeError(fault)
			log.Write(body)
			fmt.Fprintf(&log, "%v %+v %#v %s", fault, fault, fault, fault.RequestID)
			fmt.Fprintf(&log, "%v %+v %#v", r.adapter, r.adapter, r.adapter)
			for cause := error(fault); cause != nil; cause = errors.Unwrap(cause) {
				fmt.Fprintf(&log, "%v %+v %#v", cause, cause, cause)
			}
			for _, form := range []string{canary, "sk-canary", "1f2e3d4c"} {
				require.NotContains(t, log.String(), form)
			}
		})
	}
}
