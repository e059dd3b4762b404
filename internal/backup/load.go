package backup

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// restoredFrom is the metadatum of a stream that says which backup it was made from. The server makes a stream only when it has all of
// it: one that says so is whole.
const restoredFrom = "mlsdm-restored-from"

// What a [Step] does.
const (
	ActionCreate  = "create"  // there is no such stream
	ActionReplace = "replace" // there is one, with nothing in it or by order
	ActionKeep    = "keep"    // it was restored from this backup already
	ActionRefuse  = "refuse"  // it holds something, and nobody said that it may be replaced
)

// Step is what has to be done to one stream.
type Step struct {
	Action string            `json:"action"`
	Asset  Asset             `json:"-"`
	Stream string            `json:"stream"`
	State  bus.SnapshotState `json:"state"`
	// Holds is how many messages the stream has now.
	Holds uint64 `json:"holds"`
}

// Plan says what a restore would do. A stream that holds messages is replaced only by order. Nothing is changed.
func Plan(ctx context.Context, b *bus.Bus, m *Manifest, replace bool) ([]Step, error) {
	if m.Prefix != b.Subjects().Prefix() {
		return nil, fmt.Errorf("the backup is of the prefix %s, this is %s: the subjects of its messages would be others; use --prefix %s", m.Prefix, b.Subjects().Prefix(), m.Prefix)
	}
	steps := make([]Step, 0, len(m.Assets))
	for _, a := range m.Assets {
		state, metadata, found, err := b.SnapshotStateOf(ctx, a.Stream)
		if err != nil {
			return nil, err
		}
		s := Step{Action: ActionRefuse, Asset: a, Stream: a.Stream, State: a.State, Holds: state.Messages}
		switch {
		case !found:
			s.Action = ActionCreate
		case metadata[restoredFrom] == m.ID && (!replace || state.LastSeq == a.State.LastSeq && state.Messages == a.State.Messages):
			s.Action = ActionKeep
		case replace || state.Messages == 0:
			s.Action = ActionReplace
		}
		steps = append(steps, s)
	}
	return steps, nil
}

// Load does what was planned, from files that [Verify] has found whole. With replicas other than 0 streams have so many. What was
// interrupted goes on where it was when it is planned and loaded again.
func Load(ctx context.Context, b *bus.Bus, dir string, m *Manifest, steps []Step, replicas int, told Told) error {
	unlock, err := lock(dir)
	if err != nil {
		return err
	}
	defer unlock()
	for _, s := range steps {
		if s.Action == ActionRefuse {
			return events.Errorf(events.CodeFailedPrecondition, "the stream %s holds %d messages: stop the services, and say --replace if those are to be deleted; nothing was done", s.Stream, s.Holds)
		}
	}
	for _, s := range steps {
		if s.Action == ActionKeep {
			told(s.Stream, "kept", 0)
			continue
		}
		if err := load(ctx, b, dir, m, s, replicas, told); err != nil {
			return err
		}
	}
	return (&way{bus: b, pause: pauseLongest}).open(ctx) // it was closed when the backup was made
}

// load restores one stream.
func load(ctx context.Context, b *bus.Bus, dir string, m *Manifest, s Step, replicas int, told Told) error {
	config, err := configure(s.Asset.Config, m.ID, replicas)
	if err != nil {
		return fmt.Errorf("%w: the configuration of %s: %w", ErrDamaged, s.Stream, err)
	}
	file, err := os.Open(filepath.Join(dir, s.Asset.file())) //nolint:gosec // see read
	if err != nil {
		return err
	}
	defer file.Close() //nolint:errcheck // it was only read
	if s.Action == ActionReplace {
		if err := b.DeleteStream(ctx, s.Stream); err != nil {
			return err
		}
	}
	var sent int64
	reader := io.TeeReader(file, writerFunc(func(p []byte) (int, error) {
		sent += int64(len(p))
		told(s.Stream, "restoring", sent)
		return len(p), nil
	}))
	state, err := b.RestoreStream(ctx, s.Stream, bus.Snapshot{Config: config, State: s.State}, reader)
	if err != nil {
		return err
	}
	// Messages may have grown old since; what is last never changes.
	if state.LastSeq != s.State.LastSeq || state.Messages > s.State.Messages {
		return fmt.Errorf("the stream %s was restored with %d messages to sequence %d, and should have %d to %d",
			s.Stream, state.Messages, state.LastSeq, s.State.Messages, s.State.LastSeq)
	}
	told(s.Stream, "restored", sent)
	return nil
}

// configure writes into a configuration where the stream comes from. What the server says of itself there is not for it to be told.
func configure(config json.RawMessage, id string, replicas int) (json.RawMessage, error) {
	var all map[string]any
	decoder := json.NewDecoder(strings.NewReader(string(config)))
	decoder.UseNumber()
	if err := decoder.Decode(&all); err != nil {
		return nil, err
	}
	metadata := map[string]any{restoredFrom: id}
	if said, ok := all["metadata"].(map[string]any); ok {
		for name, value := range said {
			if !strings.HasPrefix(name, "_nats.") && name != restoredFrom {
				metadata[name] = value
			}
		}
	}
	all["metadata"] = metadata
	if replicas > 0 {
		all["num_replicas"] = replicas
	}
	return json.Marshal(all)
}
