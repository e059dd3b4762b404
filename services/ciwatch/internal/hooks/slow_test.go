package hooks_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/hooks"
)

func TestSlowHeads(t *testing.T) {
	t.Parallel()
	s := open(t, func(c *hooks.Config) { c.Bounds.HeaderTime = 100 * time.Millisecond })
	for _, begin := range []string{"", "POST " + path, "POST " + path + " HTTP/1.1\r\nHost: door\r\nX-A: "} {
		w := s.dial(t)
		w.say(t, begin)
		w.requireClosed(t)
	}
	require.Empty(t, s.outcomes(t))
}

func TestLongHeads(t *testing.T) {
	t.Parallel()
	s := open(t, nil)
	header := signed("workflow_run", "d-1", run)
	header.Set("X-Long", strings.Repeat("x", 17<<10))
	require.Equal(t, http.StatusRequestHeaderFieldsTooLarge, s.post(t, header, run).status)
	require.Zero(t, s.count())
}

// Each of these bodies would be a good one if it came.
func TestSlowBodies(t *testing.T) {
	t.Parallel()
	s := open(t, func(c *hooks.Config) { c.Bounds.Grace, c.Bounds.BodyTime = 100*time.Millisecond, 300*time.Millisecond })
	header := signed("workflow_run", "d-1", run)
	for name, begin := range map[string]string{
		"nothing of it":            head(header, len(run)),
		"all but the last byte":    head(header, len(run)) + run[:len(run)-1],
		"a chunk, and no more":     head(header, -1) + "5\r\n" + run[:5] + "\r\n",
		"much, and then no more":   head(header, 1<<20) + strings.Repeat(" ", 40<<10),
		"half of a chunk's length": head(header, -1) + "5",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := s.dial(t)
			w.say(t, begin)
			got := w.hear(t)
			require.Equal(t, http.StatusRequestTimeout, got.status)
			require.True(t, got.close)
			w.requireClosed(t)
		})
	}
}

// A body that comes at one byte at a time is broken off when its time is over, though something always comes.
func TestTricklingBodies(t *testing.T) {
	t.Parallel()
	s := open(t, func(c *hooks.Config) { c.Bounds.Grace, c.Bounds.Rate = 200*time.Millisecond, 1<<20 })
	w := s.dial(t)
	w.say(t, head(signed("workflow_run", "d-1", run), 1<<20))
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
				if _, err := io.WriteString(w, " "); err != nil {
					return
				}
			}
		}
	}()
	require.Equal(t, http.StatusRequestTimeout, w.hear(t).status)
	close(stop)
	<-stopped
}

func TestBodiesWithoutEnd(t *testing.T) {
	t.Parallel()
	s := open(t, func(c *hooks.Config) { c.Bounds.Body = 256 << 10 })
	w := s.dial(t)
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		if _, err := io.WriteString(w, head(signed("workflow_run", "d-1", run), -1)); err != nil {
			return
		}
		chunk := "1000\r\n" + strings.Repeat(" ", 0x1000) + "\r\n"
		for {
			if _, err := io.WriteString(w, chunk); err != nil {
				return // the door has closed
			}
		}
	}()
	got := w.hear(t)
	require.Equal(t, http.StatusRequestEntityTooLarge, got.status)
	require.True(t, got.close)
	<-stopped
	require.Equal(t, map[string]int{" too_large": 1}, s.outcomes(t))
}

// What is refused by its head alone is refused at once: nobody waits for the body.
func TestBodiesThatNobodyWaitsFor(t *testing.T) {
	t.Parallel()
	s := open(t, nil)
	json := http.Header{"Content-Type": {"application/json"}}
	for name, test := range map[string]struct {
		head   string
		status int
	}{
		"no signature":          {head(json, 1<<20), 401},
		"no signature, chunked": {head(json, -1), 401},
		"no type":               {head(http.Header{}, 1<<20), 415},
		"too large":             {head(signed("workflow_run", "d-1", run), 25<<20+1), 413},
		"too large, forged":     {head(json, 25<<20+1), 413},
		"no such path":          {strings.Replace(head(json, 1<<20), path, "/", 1), 404},
	} {
		w := s.dial(t)
		w.say(t, test.head)
		got := w.hear(t)
		require.Equal(t, test.status, got.status, name)
		require.True(t, got.close, name)
	}
}

func TestBodiesThatBreakOff(t *testing.T) {
	t.Parallel()
	s := open(t, nil)
	w := s.dial(t)
	w.say(t, head(signed("workflow_run", "d-1", run), len(run))+run[:10])
	require.NoError(t, w.Close())
	eventually(t, "it is counted", func() bool { return s.outcomes(t)[" broken"] == 1 })
	w = s.dial(t)
	w.say(t, head(signed("workflow_run", "d-1", run), -1)+"no length\r\n")
	require.Equal(t, 400, w.hear(t).status)
	require.Zero(t, s.count())
}

func TestPipelining(t *testing.T) {
	t.Parallel()
	s := open(t, nil)
	forged := http.Header{"Content-Type": {"application/json"}}
	one := func(h http.Header) string { return head(h, len(run)) + run }
	w := s.dial(t)
	w.say(t, one(signed("workflow_run", "d-1", run))+one(forged)+one(signed("workflow_run", "d-2", run))+one(signed("ping", "d-3", run)))
	var got []int
	for range 4 {
		got = append(got, w.hear(t).status)
	}
	require.Equal(t, []int{202, 401, 202, 200}, got)
	require.Equal(t, 2, s.count())
}

// A request within the body of another is no request.
func TestSmuggling(t *testing.T) {
	t.Parallel()
	s := open(t, nil)
	inner := head(signed("workflow_run", "d-1", run), len(run)) + run
	for _, both := range []string{"Content-Length: 4\r\nTransfer-Encoding: chunked", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", "Transfer-Encoding: chunked, identity"} {
		w := s.dial(t)
		w.say(t, "POST "+path+" HTTP/1.1\r\nHost: door\r\nContent-Type: application/json\r\n"+both+"\r\n\r\n"+"0\r\n\r\n"+inner)
		w.hear(t)
	}
	w := s.dial(t)
	w.say(t, "POST "+path+" HTTP/1.1\r\nHost: door\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n")
	require.Equal(t, 400, w.hear(t).status)
	w = s.dial(t)
	w.say(t, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
	require.NotEqual(t, 200, w.hear(t).status)
}
