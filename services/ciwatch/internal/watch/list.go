package watch

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

const (
	// listAgain is how often owners are asked which repositories they have, and listRetry how soon when they could not be.
	listAgain     = time.Hour
	listRetry     = time.Minute
	maxOwnerPages = 100
)

// list asks owners for their repositories until ctx ends.
func (w *Watch) list(ctx context.Context) error {
	for {
		wait := listAgain
		for _, owner := range w.owners() {
			err := w.listOwner(ctx, owner)
			if ctx.Err() != nil {
				return nil //nolint:nilerr // it was to end
			}
			if w.listed(owner, err) {
				w.log.WarnContext(ctx, "an owner's repositories are not known; asking again", "provider", owner.Forge, "owner", owner.Owner, "err", err)
			}
			if err != nil {
				wait = listRetry
			}
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		}
	}
}

// listed takes note of how it went to list an owner's repositories, and reports whether that is a failure that is news.
func (w *Watch) listed(owner Wanted, err error) bool {
	key := Repository{Forge: owner.Forge, Name: owner.Owner}.id()
	w.mu.Lock()
	defer w.mu.Unlock()
	if err == nil {
		delete(w.unlisted, key)
		return false
	}
	before := w.unlisted[key]
	w.unlisted[key] = err
	return before == nil || events.CodeOf(before) != events.CodeOf(err)
}

// owners are those whose repositories are matched by a pattern, each once, where it can be asked for them.
func (w *Watch) owners() []Wanted {
	var owners []Wanted
	for _, wanted := range w.cfg.Repositories {
		if _, literal := wanted.Pattern.Literal(); literal || w.plans[wanted.Forge] == nil {
			continue
		}
		if !slices.ContainsFunc(owners, func(o Wanted) bool { return o.Forge == wanted.Forge && strings.EqualFold(o.Owner, wanted.Owner) }) {
			owners = append(owners, wanted)
		}
	}
	return owners
}

// listOwner asks for all of an owner's repositories, watches those that are wanted, and forgets those that the owner does not have any more.
func (w *Watch) listOwner(ctx context.Context, owner Wanted) error {
	f, began := w.forges[owner.Forge], time.Now()
	has := map[string]bool{}
	changed, more := false, true
	for page := 1; more && page <= maxOwnerPages; page++ {
		var names []string
		var err error
		names, more, err = f.Repositories(ctx, owner.Owner, page)
		if err != nil {
			return err
		}
		for _, name := range names {
			r := Repository{Forge: owner.Forge, Name: name}
			has[r.id()] = true
			changed = w.repositories.watches(r) && w.repositories.add(r) || changed
		}
	}
	if !more {
		prefix := Repository{Forge: owner.Forge, Name: owner.Owner + "/"}.id()
		changed = w.repositories.drop(began, func(r Repository) bool { return has[r.id()] || !strings.HasPrefix(r.id(), prefix) }) || changed
	}
	if changed {
		w.replan()
	}
	return nil
}

// branches are default branches, as they were told.
type branches struct {
	mu    sync.Mutex
	known map[string]branch
}

// branch is a default branch, and when it was told.
type branch struct {
	name string
	at   time.Time
}

// get returns what is known; empty when nothing is.
func (b *branches) get(r Repository) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.known[r.id()].name
}

// defaultBranch returns a repository's default branch, if any rule wants to know it: asked for once an hour.
func (l *leader) defaultBranch(ctx context.Context, r Repository) (string, error) {
	if !l.cfg.Rules.AsksDefaultBranch() {
		return "", nil
	}
	b := l.branches
	b.mu.Lock()
	known := b.known[r.id()]
	b.mu.Unlock()
	if known.name != "" && time.Since(known.at) < listAgain {
		return known.name, nil
	}
	name, err := l.forges[r.Forge].DefaultBranch(ctx, r.Name)
	if err != nil {
		return "", err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.known[r.id()] = branch{name: name, at: time.Now()}
	return name, nil
}
