package spaces

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// maxListed is how many names an error lists.
const maxListed = 20

// Entry is what the bucket holds for one model.
type Entry struct {
	Pin
	// Err says that the value cannot be read; then only model and revision are known. The model is refused until that is mended.
	Err error

	revision uint64
}

// List returns what is pinned, by name. Keys that are not those of models are left out.
func List(ctx context.Context, b *bus.Bus) ([]Entry, error) {
	kv, err := b.KV(ctx, events.BucketSpaces)
	if err != nil {
		return nil, err
	}
	return list(ctx, kv)
}

func list(ctx context.Context, kv *bus.KV) ([]Entry, error) {
	keys, err := kv.Keys(ctx)
	if err != nil {
		return nil, err
	}
	entries := make([]Entry, 0, len(keys))
	for _, key := range keys {
		if _, _, ok := ParseKey(key); !ok {
			continue
		}
		value, revision, err := kv.Get(ctx, key)
		if errors.Is(err, bus.ErrNotFound) { // gone meanwhile
			continue
		}
		if err != nil {
			return nil, err
		}
		pin, err := Decode(key, value)
		entries = append(entries, Entry{Pin: pin, Err: err, revision: revision})
	}
	slices.SortFunc(entries, func(a, b Entry) int { return cmp.Compare(a.Name(), b.Name()) })
	return entries, nil
}

// Forget takes away what is pinned for a model: the length of its next answer is pinned. See [Accept].
func Forget(ctx context.Context, b *bus.Bus, name string) (before Entry, err error) {
	return Accept(ctx, b, name, 0)
}

// Accept agrees that the vectors of a model have another length: that of its next answer (0), or dimensions. name is MODEL, or
// MODEL@REVISION where several revisions are pinned. A model of which nothing is pinned yet can be given a length, but not be
// forgotten. It returns what was pinned before. Embedders that run take it over at once.
//
// Errors are of code not_found, listing what is pinned, invalid_argument, failed_precondition for a name that several have,
// unavailable when somebody else changed it in between.
func Accept(ctx context.Context, b *bus.Bus, name string, dimensions int) (before Entry, err error) {
	if dimensions < 0 || dimensions > MaxDimensions {
		return Entry{}, events.Errorf(events.CodeInvalidArgument, "dimensions is %d; it must be 1 to %d, or 0 for that of the next answer", dimensions, MaxDimensions)
	}
	kv, err := b.KV(ctx, events.BucketSpaces)
	if err != nil {
		return Entry{}, err
	}
	entries, err := list(ctx, kv)
	if err != nil {
		return Entry{}, err
	}
	before, err = find(entries, name)
	switch {
	case err != nil && (dimensions == 0 || events.CodeOf(err) != events.CodeNotFound):
		return Entry{}, err
	case err != nil:
		model, revision := name, ""
		if at := strings.LastIndexByte(name, '@'); at > strings.LastIndexByte(name, '/')+1 { // a provider's name of a model may begin with one
			model, revision = name[:at], name[at+1:]
		}
		before = Entry{Pin: Pin{Model: model, Revision: revision}}
	}
	return before, conflict(write(ctx, kv, before, dimensions))
}

// write writes another length in the place of an entry.
func write(ctx context.Context, kv *bus.KV, before Entry, dimensions int) error {
	key := Key(before.Model, before.Revision)
	if dimensions == 0 {
		return kv.Delete(ctx, key, before.revision)
	}
	value, err := Pin{Model: before.Model, Revision: before.Revision, Dimensions: dimensions, PinnedAt: time.Now().UTC()}.Encode()
	if err != nil {
		return err
	}
	if before.revision == 0 {
		_, err = kv.Create(ctx, key, value)
	} else {
		_, err = kv.Update(ctx, key, value, before.revision)
	}
	return err
}

// conflict gives a lost race its code.
func conflict(err error) error {
	if errors.Is(err, bus.ErrConflict) {
		return events.Errorf(events.CodeUnavailable, "somebody else changed it just now; look again: %w", err)
	}
	return err
}

// find finds the entry of a name.
func find(entries []Entry, name string) (Entry, error) {
	var named []Entry
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		if e.Name() == name {
			return e, nil
		}
		if e.Model == name {
			named = append(named, e)
		}
		names = append(names, e.Name())
	}
	switch {
	case len(named) == 1:
		return named[0], nil
	case len(named) > 1:
		names = names[:0]
		for _, e := range named {
			names = append(names, e.Name())
		}
		return Entry{}, events.Errorf(events.CodeFailedPrecondition, "%q has several revisions; say which: %s", name, listed(names))
	default:
		return Entry{}, events.Errorf(events.CodeNotFound, "nothing is pinned for %q; there is: %s", name, listed(names))
	}
}

// listed joins names.
func listed(names []string) string {
	switch {
	case len(names) == 0:
		return "nothing"
	case len(names) > maxListed:
		return strings.Join(names[:maxListed], ", ") + ", …"
	default:
		return strings.Join(names, ", ")
	}
}
