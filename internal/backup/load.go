package backup

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Metadata of a stream, which name a backup.
const (
	// restoredFrom says what it was made from, and that it is whole.
	restoredFrom = "mlsdm-restored-from"
	// restoring says what it is made from while it is not: if the program was killed, the server leaves what it had got.
	restoring = "mlsdm-restoring"
)

// What a [Step] does.
const (
	ActionCreate  = "create"  // there is no such stream
	ActionReplace = "replace" // there is one, with nothing in it or by order
	ActionAgain   = "again"   // there is a part of it, of a restore that was interrupted
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

	part bool // what there is now, a restore has left that was interrupted
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
		s := Step{Action: ActionRefuse, Asset: a, Stream: a.Stream, State: a.State, Holds: state.Messages, part: metadata[restoring] != ""}
		switch {
		case !found:
			s.Action = ActionCreate
		case metadata[restoring] == m.ID && state.LastSeq <= a.State.LastSeq: // nobody has written to it since
			s.Action = ActionAgain
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
	if slices.ContainsFunc(steps, func(s Step) bool { return s.part }) {
		told("", "waiting", 0)
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(bus.RestoreGivenUp):
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
	config, err := configure(s.Asset.Config, restoring, m.ID, replicas)
	if err != nil {
		return fmt.Errorf("%w: the configuration of %s: %w", ErrDamaged, s.Stream, err)
	}
	whole, err := configure(s.Asset.Config, restoredFrom, m.ID, replicas)
	if err != nil {
		return fmt.Errorf("%w: the configuration of %s: %w", ErrDamaged, s.Stream, err)
	}
	file, err := os.Open(filepath.Join(dir, s.Asset.file())) //nolint:gosec // see read
	if err != nil {
		return err
	}
	defer file.Close() //nolint:errcheck // it was only read
	if s.Action != ActionCreate {
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
	if err := b.UpdateStreamConfig(ctx, s.Stream, whole); err != nil {
		return err
	}
	told(s.Stream, "restored", sent)
	return nil
}

// configure writes into a configuration, under a name, where the stream comes from. What the server says of itself there is not for it to
// be told.
func configure(config json.RawMessage, as, id string, replicas int) (json.RawMessage, error) {
	var all map[string]any
	decoder := json.NewDecoder(strings.NewReader(string(config)))
	decoder.UseNumber()
	if err := decoder.Decode(&all); err != nil {
		return nil, err
	}
	metadata := map[string]any{as: id}
	if said, ok := all["metadata"].(map[string]any); ok {
		for name, value := range said {
			if !strings.HasPrefix(name, "_nats.") && name != restoredFrom && name != restoring {
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
