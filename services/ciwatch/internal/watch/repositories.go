package watch

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/policy"
)

const (
	// listAgain is how often owners are asked which repositories they have, and how soon when they could not be.
	listAgain       = time.Hour
	listRetry       = time.Minute
	maxOwnerPages   = 100
	maxRepositories = 10_000
)

// Wanted is a repository that is to be watched, or a pattern of those of one owner.
type Wanted struct {
	// Forge is the forge's name.
	Forge string
	// Owner is literal; Pattern is matched with "owner/name", in lower case.
	Owner   string
	Pattern policy.Pattern
	// Name is the repository as it was written, when it is one.
	Name string
}

// matches reports whether r is wanted.
func (w Wanted) matches(r Repository) bool {
	return w.Forge == r.Forge && w.Pattern.Match(strings.ToLower(r.Name))
}

// repositories are those that are watched: those that are named, and those that owners have.
type repositories struct {
	wanted []Wanted

	mu    sync.Mutex
	found map[string]Repository // by id
}

func newRepositories(wanted []Wanted) *repositories {
	r := &repositories{wanted: wanted, found: map[string]Repository{}}
	for _, w := range wanted {
		if _, ok := w.Pattern.Literal(); ok {
			named := Repository{Forge: w.Forge, Name: w.Name}
			r.found[named.id()] = named
		}
	}
	return r
}

// watches reports whether r is wanted.
func (rs *repositories) watches(r Repository) bool {
	return slices.ContainsFunc(rs.wanted, func(w Wanted) bool { return w.matches(r) })
}

// all returns those that are known, ordered.
func (rs *repositories) all() []Repository {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	all := make([]Repository, 0, len(rs.found))
	for _, r := range rs.found {
		all = append(all, r)
	}
	slices.SortFunc(all, func(a, b Repository) int { return cmp.Compare(a.id(), b.id()) })
	return all
}

// add takes in one of which something was heard, and reports whether it is new.
func (rs *repositories) add(r Repository) bool {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if _, known := rs.found[r.id()]; known || len(rs.found) >= maxRepositories {
		return false
	}
	rs.found[r.id()] = r
	return true
}

// list asks owners for their repositories until ctx ends.
func (w *Watch) list(ctx context.Context) error {
	for {
		wait := listAgain
		for _, owner := range w.owners() {
			if err := w.listOwner(ctx, owner); err != nil {
				if ctx.Err() != nil {
					return nil //nolint:nilerr // it was to end
				}
				w.log.WarnContext(ctx, "an owner's repositories are not known; asking again", "provider", owner.Forge, "owner", owner.Owner, "err", err)
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

// owners are those whose repositories are matched by a pattern, each once.
func (w *Watch) owners() []Wanted {
	var owners []Wanted
	for _, wanted := range w.cfg.Repositories {
		if _, literal := wanted.Pattern.Literal(); literal {
			continue
		}
		if !slices.ContainsFunc(owners, func(o Wanted) bool { return o.Forge == wanted.Forge && strings.EqualFold(o.Owner, wanted.Owner) }) {
			owners = append(owners, wanted)
		}
	}
	return owners
}

// listOwner asks for all of an owner's repositories, and watches those that are wanted.
func (w *Watch) listOwner(ctx context.Context, owner Wanted) error {
	f := w.forges[owner.Forge]
	found := false
	for page := 1; page <= maxOwnerPages; page++ {
		names, more, err := f.Repositories(ctx, owner.Owner, page)
		if err != nil {
			return err
		}
		for _, name := range names {
			r := Repository{Forge: owner.Forge, Name: name}
			if w.repositories.watches(r) && w.repositories.add(r) {
				found = true
			}
		}
		if !more {
			break
		}
	}
	if found {
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

// ParseWanted reads a repository, "owner/name", or a pattern of an owner's, "owner/*" or "owner/svc-*". The owner is everything before the last
// slash that is before any star.
func ParseWanted(forgeName, text string) (Wanted, error) {
	literal, _, _ := strings.Cut(text, "*")
	at := strings.LastIndex(literal, "/")
	if at <= 0 || at == len(text)-1 {
		return Wanted{}, fmt.Errorf("%q is no repository; it must be owner/name, or owner/* for all of an owner's", text)
	}
	for _, part := range strings.Split(text, "/") {
		if !validPart(part) {
			return Wanted{}, fmt.Errorf("%q is no repository: owner and name are made of letters, digits, '.', '-' and '_'", text)
		}
	}
	pattern, err := policy.NewPattern(strings.ToLower(text))
	if err != nil {
		return Wanted{}, err
	}
	return Wanted{Forge: forgeName, Owner: text[:at], Pattern: pattern, Name: text}, nil
}

// validPart reports whether a text can be an owner or a name, or a pattern of one.
func validPart(part string) bool {
	if part == "" || part == "." || part == ".." {
		return false
	}
	return !strings.ContainsFunc(part, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '-' || r == '_' || r == '*')
	})
}
