package llmtest

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// canary is a key that must not be seen anywhere, with all the characters that have to be escaped somewhere.
const canary = "sk-canary+/1f2e3d4c=="

// raw answers with text instead of HTTP.
func raw(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return // the client then sees an empty answer, and the test fails
		}
		// A client that does not take it sees less, and fails as well.
		_, _ = conn.Write([]byte(text))
		_ = conn.Close()
	}
}

// parrots are servers that repeat the key.
func (d *Dialect) parrots() map[string]http.HandlerFunc {
	const said = "bad header: Bearer " + canary + "!"
	finish := d.text("hi")
	finish.Said[0].Finish = canary
	all := map[string]http.HandlerFunc{
		"error body":               Answer(401, d.Error(said)),
		"error body, escaped":      Answer(400, strings.ReplaceAll(d.Error(said), "/", `\/`)),
		"error body, URL-encoded":  Answer(500, d.Error("bad query: key="+url.QueryEscape(canary))),
		"at the edge of the bound": Answer(403, d.Error(strings.Repeat("x", 480)+canary)),
		"at the edge of the other": Answer(403, d.Error(strings.Repeat("x", 2030)+canary)),
		"text":                     Answer(500, said, "Content-Type: text/plain"),
		"text that is cut":         Answer(401, strings.Repeat(" ", 64<<10-8)+canary, "Content-Type: text/plain"),
		"page":                     Answer(502, said, "Content-Type: text/html"),
		"redirect":                 Answer(302, said, "Location: http://127.0.0.1:1/?auth="+canary),
		"broken redirect":          Answer(302, said, "Location: http://%zz/"+canary),
		"headers": Answer(429, d.Error("slow down"), "Retry-After: "+canary, "X-Request-Id: "+canary, "Request-Id: "+canary,
			"Server: "+canary, "Www-Authenticate: Bearer realm="+canary),
		"content type":         Answer(200, "{}", "Content-Type: text/"+canary),
		"quoted content type":  Answer(200, "{}", `Content-Type: text/html; key="`+canary+`"`),
		"answer":               Answer(200, canary),
		"answer, quoted":       Answer(200, `{"error":"`+canary+`"}`),
		"finish reason":        Answer(200, d.Answer(finish)),
		"stream":               d.streams(d.preface(), canary),
		"stream, event":        d.streams("event: " + canary + "\ndata: " + canary + "\n\n"),
		"stream, finish":       d.streams(d.Stream(finish)...),
		"broken status line":   raw("HTTP/1.1 " + canary + "\r\n\r\n"),
		"status text":          raw("HTTP/1.1 400 " + canary + "\r\nContent-Length: 0\r\n\r\n"),
		"broken header":        raw("HTTP/1.1 200 OK\r\n" + canary + "\r\n\r\n"),
		"broken length":        raw("HTTP/1.1 200 OK\r\nContent-Length: " + canary + "\r\n\r\n"),
		"broken chunked":       raw("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n" + canary + "\r\n"),
		"no HTTP at all":       raw(canary),
		"unknown coding":       raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: " + canary + "\r\n\r\n"),
		"in another's clothes": Answer(200, d.Error(said), "Content-Type: "+d.streamType()),
	}
	if d.InAnswer != nil {
		all["error in an answer"] = Answer(200, d.InAnswer(said))
	}
	if d.InStream != nil {
		all["error in a stream"] = d.streams(d.Stream(d.text("hi"))[0], d.InStream(said))
	}
	return all
}

// secrets: whatever a server says, the key does not come out in an error, in its cause, or in a log of either.
func (d *Dialect) secrets(t *testing.T) {
	for name, handler := range d.parrots() {
		t.Run(name, func(t *testing.T) {
			both(t, func(t *testing.T, streamed bool) {
				r := d.serve(t, handler)
				call := hello()
				call.Key = secret.NewValue(" " + canary + "\n")
				fault := d.fault(t, r.ask(t.Context(), call, streamed))
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
				for _, form := range []string{canary, "sk-canary", "1f2e3d4c", base64.StdEncoding.EncodeToString([]byte(canary))} {
					require.NotContains(t, log.String(), form)
				}
			})
		})
	}
}
