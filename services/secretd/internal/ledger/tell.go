package ledger

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strconv"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// saw writes down what was seen, and tells if it is another version than before.
func (l *Ledger) saw(ctx context.Context, s Seen) error {
	k, written, err := l.change(ctx, s.Name, func(now known) (Entry, bool) {
		seen := Entry{Name: s.Name, Source: s.Source, Version: s.Version, Since: s.FetchedAt.UTC()}
		switch {
		case now.revision == 0: // the first sight is no rotation
			return seen, true
		case now.is(s) && (s.Version != "" || !s.Rotated || !s.FetchedAt.After(now.Since)):
			back := now.Entry
			back.OutSince = time.Time{}
			return back, !now.OutSince.IsZero()
		case !now.is(s) && s.FetchedAt.Before(now.Since): // fetched before somebody saw a later one
			return Entry{}, false
		}
		seen.PreviousVersion, seen.Untold = now.Version, true
		return seen, true
	})
	if err != nil || !written || !k.Untold {
		return err
	}
	return l.tell(ctx, k)
}

// tell publishes that a secret was rotated, and writes down that it did.
func (l *Ledger) tell(ctx context.Context, k known) error {
	event, err := events.New(l.source, events.SecretRotated{
		Name: k.Name, Store: k.Source, Version: k.Version, PreviousVersion: k.PreviousVersion,
	})
	if err != nil {
		return err
	}
	event.ID, event.Time, event.Subject = id("rotated", k.Name, strconv.FormatUint(k.revision, 10)), k.Since, k.Name
	if _, err := l.bus.PublishEvent(ctx, event); err != nil {
		return err
	}
	l.log.InfoContext(ctx, "a secret was rotated", "secret", k.Name, "provider", k.Source, "secret_version", k.Version,
		"previous_version", k.PreviousVersion)
	told := k.Entry
	told.Untold = false
	if _, err := l.write(ctx, told, k.revision); err != nil && !errors.Is(err, bus.ErrConflict) { // then somebody knows more
		return err
	}
	return nil
}

// tellUntold tells what has been known for that long to be untold: whoever wrote it has died, or could not publish. If it is being
// told just now, this is the same event.
func (l *Ledger) tellUntold(ctx context.Context, age time.Duration) error {
	var late []known
	l.mu.RLock()
	for name, since := range l.untold {
		if time.Since(since) >= age {
			late = append(late, l.known[name])
		}
	}
	l.mu.RUnlock()
	for _, k := range late {
		if err := l.tell(ctx, k); err != nil {
			return err
		}
	}
	return nil
}

// outage is a secret whose store cannot be asked.
type outage struct {
	name, source string
	since        time.Time
	noted        time.Time // when it was written down, by us; who does has to tell, too
}

// out writes down that a secret's store cannot be asked, and tells. What could not be told is told when it is called again.
func (l *Ledger) out(ctx context.Context, o *outage) error {
	if o.noted.IsZero() {
		k, written, err := l.change(ctx, o.name, func(now known) (Entry, bool) {
			gone := now.Entry
			gone.OutSince = time.Now().UTC()
			return gone, now.revision > 0 && now.OutSince.IsZero()
		})
		if err != nil || !written {
			return err
		}
		o.noted = k.OutSince
	}
	event, err := events.New(l.source, events.SecretUnavailable{Name: o.name, Store: o.source, Since: o.since.UTC(), Code: events.CodeUnavailable})
	if err != nil {
		return err
	}
	event.ID, event.Subject = id("unavailable", o.name, o.noted.Format(time.RFC3339Nano)), o.name
	_, err = l.bus.PublishEvent(ctx, event)
	return err
}

// id is the id of an event: the same for whoever tells of the same.
func id(what, name, which string) string {
	sum := sha256.Sum256([]byte(name))
	return "secret-" + what + "-" + hex.EncodeToString(sum[:12]) + "-" + which
}
