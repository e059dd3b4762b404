package events_test

import (
	"fmt"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

func ExampleNew() {
	ev, err := events.New("/mlsdm/engine", events.MemoryThresholdExceeded{
		Service: "engine", Level: events.LevelWarning, UsedBytes: 900, LimitBytes: 1000, Threshold: 0.9,
	})
	if err != nil {
		panic(err)
	}
	var subjects events.Subjects // of the prefix "mlsdm"
	subject, header, _, err := ev.Message(subjects)
	if err != nil {
		panic(err)
	}
	fmt.Println(subject)
	fmt.Println(header[events.HeaderContentType][0])
	// Output:
	// mlsdm.events.memory.threshold_exceeded
	// application/cloudevents+json
}

func ExampleFromMessage() {
	var subjects events.Subjects
	ev, err := events.FromMessage(subjects, "mlsdm.events.custom.deploy", map[string][]string{"Nats-Msg-Id": {"42"}},
		[]byte(`{"version": "1.2.3"}`), events.Stored{})
	if err != nil {
		panic(err)
	}
	fmt.Println(ev.ID, ev.Type, string(ev.Data))
	// Output:
	// 42 custom.deploy {"version": "1.2.3"}
}

func ExampleDecode() {
	ev := events.Event{ID: "1", Source: "/mlsdm/secretd", Type: events.TypeSecretRotated, Data: []byte(`{"name": "openai-api-key"}`)}
	_, err := events.Decode[events.SecretRotated](ev)
	fmt.Println(events.CodeOf(err), "-", err)
	// Output:
	// invalid_argument - invalid_argument: store is missing
}

func ExampleDecodeError() {
	header, body := events.EncodeError(events.Errorf(events.CodeNotFound, "no model %q", "openai/gpt-0"))
	if failure := events.DecodeError(header, body); failure != nil {
		fmt.Println(failure.Code, failure.Retryable)
	}
	// Output:
	// not_found false
}
