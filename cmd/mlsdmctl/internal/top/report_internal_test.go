package top

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// asked is a replica of the embedder that has answered.
func asked(id string, started time.Time, requests, errors uint64, processing time.Duration) replica {
	return replica{Name: "embedder", ID: id, Started: started, Endpoints: []operationStats{
		{Name: "embed", Subject: "mlsdm.embed", Requests: requests, Errors: errors, Processing: processing},
	}}
}

func TestCompare(t *testing.T) {
	t.Parallel()
	begin := time.Date(2026, time.January, 31, 12, 0, 0, 0, time.UTC)
	before := &Sample{
		at: begin,
		replicas: map[string]replica{
			"stays":  asked("stays", begin.Add(-time.Hour), 100, 10, time.Second),
			"goes":   asked("goes", begin.Add(-time.Hour), 1000, 1000, time.Second),
			"resets": asked("resets", begin.Add(-time.Hour), 50, 50, time.Second),
		},
		streams:   map[string]bus.StreamState{events.StreamEvents: {Last: 100}},
		consumers: map[string]consumer{events.ConsumerRouter: {ConsumerState: bus.ConsumerState{Settled: 90}}},
	}
	after := &Sample{
		at: begin.Add(2 * time.Second),
		replicas: map[string]replica{
			"stays":  asked("stays", begin.Add(-time.Hour), 140, 12, 1200*time.Millisecond),
			"comes":  asked("comes", begin.Add(time.Second), 10, 0, 300*time.Millisecond),
			"resets": asked("resets", begin.Add(-time.Hour), 0, 0, 0),
			"unseen": asked("unseen", begin.Add(-time.Hour), 5000, 5000, time.Hour), // its answer was lost before
		},
		streams:   map[string]bus.StreamState{events.StreamEvents: {Messages: 110, Last: 120, FirstTime: begin}},
		consumers: map[string]consumer{events.ConsumerRouter: {ConsumerState: bus.ConsumerState{Settled: 110, Pending: 3}, oldest: begin}},
		endpoints: []events.Endpoint{{EndpointSpec: events.EndpointSpec{ID: "shop"}, Status: events.EndpointStatus{State: events.EndpointFailing}}},
		attempts:  map[string]map[string]int{"shop": {events.AttemptDelivered: 8, events.AttemptRetry: 4, events.AttemptDead: 1}},
	}
	r := Compare(before, after)
	require.InEpsilon(t, 2, r.Seconds, 1e-9)
	require.Len(t, r.Operations, 1)
	o := r.Operations[0]
	require.EqualValues(t, 140+10+5000, o.Requests)
	require.InEpsilon(t, (40.0+10)/2, o.PerSecond, 1e-9)
	require.InEpsilon(t, 2.0/2, o.ErrorsPerSecond, 1e-9)
	require.InEpsilon(t, 500.0/50, o.MeanMS, 1e-9)
	rates := map[string]float64{}
	for _, s := range r.Services {
		rates[s.Replica] = s.PerSecond
	}
	require.Equal(t, map[string]float64{"stays": 20, "comes": 5, "resets": 0, "unseen": 0}, rates)
	require.InEpsilon(t, 10, r.Streams[0].PerSecond, 1e-9)
	require.InEpsilon(t, 10, r.Consumers[0].PerSecond, 1e-9)
	require.InEpsilon(t, 2, r.Consumers[0].OldestSeconds, 1e-9)
	require.Equal(t, []Endpoint{{ID: "shop", State: events.EndpointFailing, Delivered: 4, Retried: 2, Dead: 0.5}}, r.Endpoints)

	first := Compare(nil, after)
	require.Zero(t, first.Seconds)
	require.Zero(t, first.Operations[0].PerSecond)
	require.Positive(t, first.Operations[0].MeanMS, "how long it took ever")
}
