// Package hostiletest has the servers that every HTTP client of ours has to survive: answers that grow when they are
// decompressed, lie about their length or never end, redirects to somewhere else, TLS of another century, silence.
package hostiletest

import (
	"context"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Bounds of the tests. They are far from what a client needs, on a busy machine too, and far from what it must not do.
const (
	patience  = 30 * time.Second
	impatient = 200 * time.Millisecond
	// slack is what may stand in the buffers of a connection while nobody reads it, and be lost there, in bytes.
	slack = 64 << 20
	// mostMemory is what may be allocated over an answer that inflates to a gigabyte, in bytes, in all: a client that reads
	// it whole allocates several times its size.
	mostMemory = 512 << 20
)

// Client is one that is tested.
type Client struct {
	// Ask makes a request to the server at a URL, http://HOST:PORT or https, as the owner of the client does, and returns
	// nothing but whether it took the answer for a good one.
	Ask func(ctx context.Context, url string) error
	// ContentType is that of the answers; empty is application/json.
	ContentType string
	// Most is how much of an answer it may read, in bytes, decompressed.
	Most int64
	// Start is all that it looks at: an answer of status 200 is a good one, whatever follows.
	Start bool
	// Plain has the rows about TLS left out, for a client that is only ever given http.
	Plain bool
}

// Run runs every row. It measures memory, so that the test which calls it must not be parallel.
func (c Client) Run(t *testing.T) {
	t.Helper()
	if c.ContentType == "" {
		c.ContentType = "application/json"
	}
	t.Run("compressed", c.compressed)
	t.Run("length", c.length)
	t.Run("endless", c.endless)
	t.Run("redirect", c.redirect)
	t.Run("silence", c.silence)
	if !c.Plain {
		t.Run("TLS", c.RunTLS)
	}
}

// judge checks what came of an answer whose status was good and whose body was not.
func (c Client) judge(t *testing.T, err error) {
	t.Helper()
	if !c.Start {
		require.Error(t, err)
	}
}

// ask asks with patience.
func (c Client) ask(t *testing.T, url string) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	err := c.Ask(ctx, url)
	require.NoError(t, ctx.Err(), "it ends by itself")
	return err
}

// compressed answers with 1 MiB that inflates to 1 GiB, in the place of an answer and of an error.
func (c Client) compressed(t *testing.T) {
	bomb := newBomb(t)
	for _, status := range []int{http.StatusOK, http.StatusInternalServerError} {
		t.Run(strconv.Itoa(status), func(t *testing.T) {
			var compressed atomic.Bool
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				compressed.Store(strings.Contains(r.Header.Get("Accept-Encoding"), "gzip"))
				w.Header().Set("Content-Type", c.ContentType)
				w.Header().Set("Content-Encoding", "gzip") // also to who has not asked for it
				w.WriteHeader(status)
				for range members {
					if _, err := w.Write(bomb); err != nil {
						return
					}
				}
			}))
			t.Cleanup(server.Close)
			before := allocated()
			err := c.ask(t, server.URL)
			require.Less(t, allocated()-before, uint64(mostMemory), "it was asked for compressed: %t", compressed.Load())
			if status == http.StatusOK {
				c.judge(t, err)
				return
			}
			require.Error(t, err)
		})
	}
}

// allocated is how much this process has allocated until now, in bytes.
func allocated() uint64 {
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.TotalAlloc
}

// redirect sends to another server, which must not be asked.
func (c Client) redirect(t *testing.T) {
	for _, status := range []int{
		http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect,
	} {
		t.Run(strconv.Itoa(status), func(t *testing.T) {
			var asked atomic.Int64
			elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
			t.Cleanup(elsewhere.Close)
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, elsewhere.URL+r.URL.RequestURI(), status)
			}))
			t.Cleanup(server.Close)
			require.Error(t, c.ask(t, server.URL))
			require.Zero(t, asked.Load(), "a redirect was followed")
		})
	}
}
