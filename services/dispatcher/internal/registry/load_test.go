package registry_test

import (
	"encoding/json"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// TestTenThousandEndpoints says what they cost, so that it has the process to itself. The bounds are for machines that are
// slow and busy.
func TestTenThousandEndpoints(t *testing.T) {
	const many = 10_000
	s := newStack(t)
	first := s.start(t)
	wanted := spec("model")
	wanted.Events, wanted.Description, wanted.Retry = []string{"ci.*", "system.>"}, "one of many endpoints of somebody", []string{"fast"}
	wanted.Headers = map[string]string{"X-Tenant": "tenant"}
	wanted.Signing = []events.EndpointSigning{{Key: "env:WEBHOOK_TOKEN"}}
	first.create(t, wanted)
	raw := first.raw(t, "model")
	first.stop()

	kv := first.bucket(t)
	for n := range many {
		var rec map[string]any
		require.NoError(t, json.Unmarshal([]byte(raw), &rec))
		id := fmt.Sprintf("e%05d", n)
		written, ok := rec["spec"].(map[string]any)
		require.True(t, ok)
		written["id"], written["url"] = id, "https://receiver.example/hooks/"+id
		value, err := json.Marshal(rec)
		require.NoError(t, err)
		_, err = kv.Put(t.Context(), id, value)
		require.NoError(t, err)
	}

	before := heap()
	began := time.Now()
	r := s.start(t)
	took := time.Since(began)
	each := (heap() - before) / many
	t.Logf("%d endpoints loaded in %s, %d bytes each", many, took, each)
	require.Equal(t, many+1, r.Set().Len())
	require.Less(t, took, 20*time.Second)
	require.Less(t, each, uint64(64<<10))
	e, ok := r.Set().Get("e09999")
	require.True(t, ok)
	require.NoError(t, e.Broken())

	began = time.Now()
	const changes = 50
	for n := range changes {
		r.update(t, fmt.Sprintf("e%05d", n), `{"timeout":"2s"}`)
	}
	t.Logf("a change among them took %s", time.Since(began)/changes)

	seen, pages, req := 0, 0, events.EndpointsListRequest{}
	for last := ""; ; pages++ {
		page, err := r.List(req)
		require.NoError(t, err)
		text, err := json.Marshal(page)
		require.NoError(t, err)
		require.LessOrEqual(t, len(text), events.MaxBody)
		for _, e := range page.Endpoints {
			require.Greater(t, e.ID, last)
			last = e.ID
			seen++
		}
		if page.Next == "" {
			break
		}
		req.After = page.Next
	}
	require.Equal(t, many+1, seen)
	require.GreaterOrEqual(t, pages, 10)
}

// heap returns the bytes that are in use.
func heap() uint64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}
