package events_test

import (
	"encoding/json"
	"maps"
	"math"
	"slices"
	"testing"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// TestPayloadValidate takes each golden payload and breaks it in one field at a time.
func TestPayloadValidate(t *testing.T) {
	t.Parallel()
	run := map[string][]any{
		"repository": {nil, ""}, "workflow": {nil, ""}, "branch": {nil, ""}, "conclusion": {nil, ""}, "run_id": {nil, 0, -1},
		"run_attempt": {nil, 0, -1}, "run_number": {-1}, "duration_seconds": {-1, 1e12},
	}
	with := func(base, more map[string][]any) map[string][]any {
		all := maps.Clone(base)
		maps.Copy(all, more)
		return all
	}
	moral := map[string][]any{"stage": {nil, "", "other"}, "score": {-0.1, 1.1}, "threshold": {-0.1, 1.1}}
	for eventType, broken := range map[string]map[string][]any{
		events.TypeMoralFilterReject:       moral,
		events.TypeMoralFilterAccept:       moral,
		events.TypeSystemEmergencyShutdown: {"service": {nil, ""}, "reason": {nil, ""}, "used_bytes": {-1}, "limit_bytes": {-1}},
		events.TypeSystemRecoveryTriggered: {
			"trigger": {nil, ""}, "action": {nil, ""}, "run_id": {-1}, "consecutive_failures": {-1}, "cooldown_seconds": {-1, 1e12},
		},
		events.TypeMemoryThresholdExceeded: {
			"service": {nil}, "level": {nil, "panic"}, "used_bytes": {-1}, "limit_bytes": {nil, 0, -1}, "threshold": {nil, 0, 1.01},
			"trend_bytes_per_second": {1e19, -1e19}, "top_consumers": {
				[]any{map[string]any{"bytes": 1}}, []any{map[string]any{"name": "cache", "bytes": -1}}, slices.Repeat([]any{map[string]any{"name": "cache", "bytes": 1}}, 6),
			},
		},
		events.TypeRequestProcessed: {
			"request_id": {nil}, "caller": {nil}, "kind": {nil, "sing"}, "door": {nil, "back"}, "outcome": {nil, "maybe"}, "latency_ms": {-1, 1e16},
			"inputs": {-1}, "cached_inputs": {-1}, "prompt_tokens": {-1}, "completion_tokens": {-1}, "total_tokens": {-1},
		},
		events.TypeCIRunFailed:       with(run, map[string][]any{"consecutive_failures": {nil, 0, -1}}),
		events.TypeCIRunSucceeded:    run,
		events.TypeCIDegraded:        with(run, map[string][]any{"consecutive_failures": {nil, 0, 2}, "threshold": {nil, 0}}),
		events.TypeCIRecovered:       with(run, map[string][]any{"failed_runs": {nil, 0}}),
		events.TypeCIFlaky:           with(run, map[string][]any{"head_sha": {nil, ""}, "failed_run_id": {nil, 0}, "failed_attempt": {-1}}),
		events.TypeSecretRotated:     {"name": {nil, ""}, "store": {nil, ""}},
		events.TypeSecretUnavailable: {"name": {nil, ""}, "store": {nil, ""}},
		events.TypeDeliveryFailed: {
			"delivery_id": {nil}, "endpoint_id": {nil}, "failed_event_id": {nil}, "failed_event_type": {nil}, "reason": {nil, ""},
			"attempts": {nil, 0, -1}, "last_status": {-1, 1000},
		},
		events.TypeEndpointDisabled:  {"endpoint_id": {nil, ""}, "reason": {nil, ""}, "last_status": {-1, 1000}},
		events.TypeEndpointRecovered: {"endpoint_id": {nil, ""}},
	} {
		t.Run(eventType, func(t *testing.T) {
			t.Parallel()
			var good map[string]any
			wantNoError(t, json.Unmarshal(readGolden(t, eventType+".json").Data, &good))
			for _, field := range slices.Sorted(maps.Keys(broken)) {
				for _, value := range broken[field] {
					bad := maps.Clone(good)
					bad[field] = value
					if value == nil {
						delete(bad, field)
					}
					data, err := json.Marshal(bad)
					wantNoError(t, err)
					err = events.CheckPayload(eventType, data)
					if err == nil {
						t.Fatalf("%s = %v was accepted", field, value)
					}
					wantError(t, err, events.CodeInvalidArgument, field)
				}
			}
		})
	}
	wantNoError(t, events.CheckPayload("custom.x", []byte("anything")))
	wantError(t, events.CheckPayload(events.TypeSecretRotated, []byte("[]")), events.CodeInvalidArgument, "object")
	notFinite := events.MoralFilterAccept{Stage: events.StagePrompt, Score: math.NaN(), Threshold: 0.5}
	wantError(t, notFinite.Validate(), events.CodeInvalidArgument, "score is NaN")
	notFinite.Score = math.Inf(1)
	wantError(t, notFinite.Validate(), events.CodeInvalidArgument, "score is +Inf")
}
