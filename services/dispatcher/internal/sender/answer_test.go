package sender_test

import (
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/egress"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/sender"
)

const maxKept = 4096

func TestLittleOfAnAnswerIsKept(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ answer, kept string }{
		"nothing":        {"", ""},
		"a word":         {"thanks", "thanks"},
		"just short":     {strings.Repeat("x", maxKept-1), strings.Repeat("x", maxKept-1)},
		"just":           {strings.Repeat("x", maxKept), strings.Repeat("x", maxKept)},
		"just long":      {strings.Repeat("x", maxKept+1), strings.Repeat("x", maxKept)},
		"huge":           {strings.Repeat("x", 10<<20), strings.Repeat("x", maxKept)},
		"not UTF-8":      {"a\xff\xfeb", "a\uFFFDb"},
		"cut in a rune":  {strings.Repeat("x", maxKept-1) + "ы" + strings.Repeat("x", 100), strings.Repeat("x", maxKept-1)},
		"grows by being": {strings.Repeat("\xffa", maxKept), strings.Repeat("\uFFFDa", maxKept/4)},
	} {
		for _, flushed := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				result := sender.Send(t.Context(), request(t, serve(t, func(w http.ResponseWriter, _ *http.Request) {
					w.WriteHeader(http.StatusInternalServerError)
					if flushed { // so that its length is not known
						_ = http.NewResponseController(w).Flush()
					}
					_, _ = io.WriteString(w, tt.answer)
				})))
				require.Equal(t, sender.Retry, result.Verdict)
				require.True(t, utf8.ValidString(result.Response))
				require.Equal(t, tt.kept, result.Response)
			})
		}
	}
}

// TestAnAnswerThatDoesNotEnd is an answer by its status: what follows may drip, end early or lie.
func TestAnAnswerThatDoesNotEnd(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]func(*net.TCPConn){
		"drips": func(c *net.TCPConn) {
			says("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nbeginning")(c)
			_, _ = c.Read(make([]byte, 1)) // until the sender goes
		},
		"drips in chunks": func(c *net.TCPConn) {
			says("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nbeginning\r\n")(c)
			_, _ = c.Read(make([]byte, 1))
		},
		"ends half-way": says("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nbeginning"),
		"bad chunk":     says("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nbeginning\r\nrubbish"),
		"is reset": func(c *net.TCPConn) {
			says("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nbeginning")(c)
			_ = c.CloseWrite()
		},
		"says more": says("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nbeginningand what was not announced"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := request(t, serveRaw(t, answer))
			r.Timeout = 200 * time.Millisecond
			result := sender.Send(t.Context(), r)
			require.NoError(t, result.Err)
			require.Equal(t, sender.Delivered, result.Verdict)
			require.Equal(t, "beginning", result.Response)
			require.Less(t, result.Latency, 10*time.Second)
		})
	}
}

// TestConnectionsAreKept: an answer of usual size does not cost the connection, a huge one does.
func TestConnectionsAreKept(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		bytes int
		conns int64
	}{
		"no answer body": {0, 1}, "small": {10, 1}, "more than is kept": {20_000, 1}, "more than is read": {1 << 20, 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var conns atomic.Int64
			seen := make(map[string]bool)
			r := request(t, serve(t, func(w http.ResponseWriter, r *http.Request) {
				if !seen[r.RemoteAddr] { // one request at a time
					seen[r.RemoteAddr] = true
					conns.Add(1)
				}
				_, _ = io.WriteString(w, strings.Repeat("x", tt.bytes))
			}))
			for i := range 3 {
				result := sender.Send(t.Context(), r)
				require.NoError(t, result.Err)
				require.Equal(t, i == 0 || tt.conns > 1, result.Timing.ConnectMS > 0, "a kept connection is not made")
			}
			require.Equal(t, tt.conns, conns.Load())
		})
	}
}

// TestAKeptConnectionThatIsClosed costs no attempt: the webhook goes once more, over another connection.
func TestAKeptConnectionThatIsClosed(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	r := request(t, serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || len(body) == 0 || r.Header.Get("Idempotency-Key") != "" {
			w.WriteHeader(http.StatusBadRequest)
		}
		if asked.Add(1) == 2 {
			panic(http.ErrAbortHandler)
		}
	}))
	for range 2 {
		require.NoError(t, sender.Send(t.Context(), r).Err)
	}
	require.EqualValues(t, 3, asked.Load())
}

// TestWhatIsEchoed: a receiver that sends back what it was sent does not put our secrets into the records.
func TestWhatIsEchoed(t *testing.T) {
	t.Parallel()
	echo := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, "Cannot POST "+r.RequestURI+"\nwith "+r.URL.Query().Get("token")+"\n")
		_ = r.Header.Write(w)
	})
	r := request(t, echo+"/services/in-the-path?token=in-the-query")
	r.HideURL = true
	r.Header = append(r.Header, egress.Field{Name: "proxy-authorization", Value: "Bearer of-my-" + canary})
	result := sender.Send(t.Context(), r)
	require.Equal(t, sender.Refused, result.Verdict)
	require.NotContains(t, result.Response, canary)
	require.Contains(t, result.Response, "Cannot POST ***?***\nwith ***\n")
	require.Contains(t, result.Response, "X-Tenant: a")

	r = request(t, echo+"/hooks/of/mine")
	require.Contains(t, sender.Send(t.Context(), r).Response, "Cannot POST /hooks/of/mine\n")
}
