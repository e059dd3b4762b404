package body_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/body"
)

// The bodies were written by Python (testdata/mlsdm.py) with the dataclass of the client.
func TestMLSDMIsWhatPythonWrites(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("testdata/mlsdm_events.json")
	require.NoError(t, err)
	var cases []struct {
		Type, Time, Data, Source, ID string
	}
	require.NoError(t, json.Unmarshal(raw, &cases))
	golden, err := os.ReadFile("testdata/mlsdm_bodies.txt")
	require.NoError(t, err)
	bodies := strings.Split(strings.TrimSuffix(string(golden), "\n"), "\n")
	require.Len(t, bodies, len(cases))
	for i, c := range cases {
		at, err := time.Parse(time.RFC3339Nano, c.Time)
		require.NoError(t, err, c.Type)
		got, _, err := body.Render(events.FormatMLSDM, events.Event{Type: c.Type, Time: at, Data: []byte(c.Data), Source: c.Source, ID: c.ID})
		require.NoError(t, err, c.Type)
		require.Equal(t, bodies[i], string(got), c.Type)
	}
}
