package journey_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/cmd/mlsdmctl/internal/journey"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// at is a moment after the beginning of all that is drawn.
func at(after time.Duration) time.Time {
	return time.Date(2026, time.January, 31, 12, 0, 0, 0, time.UTC).Add(after)
}

func yes() *bool { b := true; return &b }

func no() *bool { b := false; return &b }

// attempt is one that was answered with 503.
func attempt(n int, after time.Duration) events.DeliveryAttempt {
	return events.DeliveryAttempt{
		DeliveryID: "d1", EndpointID: "shop", EventID: "e1", Attempt: n, At: at(after), LatencyMS: 4.25, Status: 503, Outcome: events.AttemptRetry,
		Error: "the receiver answered 503", ErrorClass: events.ErrorClassStatus, NextAt: at(after + time.Second), Response: "try\n\x1b[31m again",
	}
}

// cases are journeys that are drawn.
func cases() map[string]*journey.Journey {
	delivered := attempt(3, 3500*time.Millisecond)
	delivered.Status, delivered.Outcome, delivered.NextAt, delivered.Response, delivered.Error = 200, events.AttemptDelivered, time.Time{}, "", ""
	whole := &journey.Journey{
		Query: "order-1", Begun: at(0), Ended: true, Traces: []journey.Trace{{ID: "4bf92f3577b34da6a3ce929d0e0e4736", URL: "http://jaeger/trace/4bf92f3577b34da6a3ce929d0e0e4736"}},
		Notes: []string{"2 callers have a request order-1: shop, default; all are shown"},
		Requests: []*journey.Request{
			{
				ID: "order-1", Caller: "shop", Kind: "embed", At: at(0), State: journey.StateAnswered,
				Results: []*journey.Result{{At: at(1200 * time.Millisecond), Bytes: 2100, KeptUntil: at(time.Hour)}},
				Events: []*journey.Event{{
					ID: "e1", Type: "request.processed", At: at(1201 * time.Millisecond), About: "embed ok in 1.20 s, local/m", Routed: yes(),
					Deliveries: []*journey.Delivery{{
						ID: "d1", EndpointID: "shop", State: journey.StateDelivered,
						Attempts: []events.DeliveryAttempt{attempt(1, 1210*time.Millisecond), attempt(2, 2300*time.Millisecond), delivered},
					}},
				}},
			},
			{
				ID: "order-1", Caller: "default", Kind: "generate", At: at(2 * time.Second), State: journey.StateFailed,
				Results:     []*journey.Result{{At: at(3 * time.Second), Code: events.CodeUnavailable, Error: "no model answers"}},
				DeadLetters: []*journey.DeadLetter{{At: at(3100 * time.Millisecond), Sequence: 7, Reason: "no model answers", Code: events.CodeUnavailable, Attempts: 10}},
			},
		},
	}
	refused := attempt(2, 26*time.Hour)
	refused.Outcome, refused.NextAt, refused.Status, refused.Response = events.AttemptDead, time.Time{}, 0, ""
	refused.ErrorClass, refused.Error = events.ErrorClassConnect, "connection refused"
	again := attempt(1, 28*time.Hour)
	again.ReplayID, again.Response = "replay-1", ""
	given := &journey.Journey{
		Query: "e1", Begun: at(0), Events: []*journey.Event{{
			ID: "e1", Type: "ci.degraded", At: at(0), About: "neuron7x/mlsdm CI, on main, run 7, failure", Routed: yes(),
			Origin: &journey.Origin{URL: "https://forge/7", StartedAt: at(-130 * time.Second), CompletedAt: at(-9 * time.Second)},
			Deliveries: []*journey.Delivery{{
				ID: "d1", EndpointID: "shop", State: journey.StateRetry,
				Attempts:    []events.DeliveryAttempt{attempt(1, time.Second), refused, again},
				DeadLetters: []*journey.DeadLetter{{At: at(26*time.Hour + time.Second), Sequence: 9, Reason: "connection refused", Code: events.CodeUnavailable, Fault: "receiver", Attempts: 2}},
				Events:      []*journey.Event{{ID: "e2", Type: "delivery.failed", At: at(26*time.Hour + 2*time.Second), About: "shop, connection refused", Routed: yes()}},
				Queued:      []*journey.Queued{{Attempt: 2, At: at(28 * time.Hour), Due: at(30*time.Hour + 5*time.Minute), ReplayID: "replay-1"}},
			}},
		}},
		Searched: []journey.Search{{Stream: "MLSDM_ATTEMPTS", Left: "there is more"}},
	}
	waits := &journey.Journey{
		Query: "r", Begun: at(0),
		Requests: []*journey.Request{
			{ID: "r", Caller: "default", Kind: "embed", At: at(0), State: journey.StateWaiting, Before: 1200, Deadline: at(31 * time.Hour)},
			{ID: "r", Caller: "shop", Kind: "embed", At: at(time.Hour), State: journey.StateInWork, Deadline: at(29 * time.Hour)},
		},
		Events:     []*journey.Event{{ID: "x", Type: "custom.y", Subject: "order", At: at(29 * time.Hour), Routed: no()}},
		Sightings:  []*journey.Sighting{{At: at(29*time.Hour + 59*time.Minute), Repository: "neuron7x/mlsdm", RunID: 7}},
		Deliveries: []*journey.Delivery{{ID: "d9", EndpointID: "shop", EventID: "gone", EventType: "custom.z", State: journey.StateWaiting, Queued: []*journey.Queued{{Attempt: 1, At: at(29 * time.Hour)}}}},
		DeadEvents: []*journey.DeadLetter{{At: at(2 * time.Hour), Sequence: 3, Reason: "no JSON", Code: events.CodeInvalidArgument}},
	}
	return map[string]*journey.Journey{"whole": whole, "given-up": given, "waits": waits}
}

// TestRender compares what is drawn with testdata; with MLSDM_UPDATE_GOLDEN=1 it is written.
func TestRender(t *testing.T) {
	t.Parallel()
	for name, j := range cases() {
		var b bytes.Buffer
		require.NoError(t, journey.Render(&b, j, journey.Look{Now: at(30 * time.Hour)}))
		file := filepath.Join("testdata", name+".txt")
		if os.Getenv("MLSDM_UPDATE_GOLDEN") != "" {
			require.NoError(t, os.WriteFile(file, b.Bytes(), 0o600))
		}
		want, err := os.ReadFile(file)
		require.NoError(t, err)
		require.Equal(t, string(want), b.String(), name)
	}
}

func TestRenderColoursAndTames(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	require.NoError(t, journey.Render(&b, cases()["whole"], journey.Look{
		Now: at(0), Colour: func(colour, text string) string { return "<" + colour + ">" + text + "</>" },
		Plain: func(text string, _ int) string { return string(bytes.ReplaceAll([]byte(text), []byte("\x1b"), nil)) },
	}))
	require.NotContains(t, b.String(), "\x1b")
	require.Contains(t, b.String(), "<31>attempt 1</>")
	require.Contains(t, b.String(), "<32>attempt 3</>")
}
