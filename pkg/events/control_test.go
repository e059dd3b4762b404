package events_test

import (
	"testing"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

func TestWindow(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]int{"": 0, "1": 1, "256": 256, "65536": 65536} {
		got, err := events.Window(map[string][]string{"mlsdm-window": {value}})
		wantNoError(t, err)
		wantEqual(t, value, got, want)
	}
	for _, value := range []string{"0", "-1", "65537", "1.5", "many", " 1", "99999999999999999999"} {
		_, err := events.Window(map[string][]string{events.HeaderWindow: {value}})
		wantError(t, err, events.CodeInvalidArgument, events.HeaderWindow, "1 to 65536")
	}
}
