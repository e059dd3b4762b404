package watch

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/policy"
)

// maxRepositories bounds those that are watched.
const maxRepositories = 10_000

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
	found map[string]found // by id
}

// found is a repository that is watched.
type found struct {
	Repository

	named bool      // by itself, and not by a pattern
	at    time.Time // when it was found
}

func newRepositories(wanted []Wanted) *repositories {
	r := &repositories{wanted: wanted, found: map[string]found{}}
	for _, w := range wanted {
		if _, ok := w.Pattern.Literal(); ok {
			one := Repository{Forge: w.Forge, Name: w.Name}
			r.found[one.id()] = found{Repository: one, named: true}
		}
	}
	return r
}

// watches reports whether r is wanted.
func (rs *repositories) watches(r Repository) bool {
	return slices.ContainsFunc(rs.wanted, func(w Wanted) bool { return w.matches(r) }) && r.isPath()
}

// asKnown returns r as it is written where it was found: forges do not tell upper case from lower, and tell it as it was created.
func (rs *repositories) asKnown(r Repository) Repository {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if known, ok := rs.found[r.id()]; ok {
		return known.Repository
	}
	return r
}

// all returns those that are known, ordered.
func (rs *repositories) all() []Repository {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	all := make([]Repository, 0, len(rs.found))
	for _, r := range rs.found {
		all = append(all, r.Repository)
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
	rs.found[r.id()] = found{Repository: r, at: time.Now()}
	return true
}

// isNamed reports whether r is wanted by its name, and not by a pattern.
func (rs *repositories) isNamed(r Repository) bool {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	return rs.found[r.id()].named
}

// drop forgets those that were found by a pattern before a time and are not kept, and reports whether there are any.
func (rs *repositories) drop(before time.Time, keep func(Repository) bool) bool {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	had := len(rs.found)
	maps.DeleteFunc(rs.found, func(_ string, f found) bool { return !f.named && f.at.Before(before) && !keep(f.Repository) })
	return len(rs.found) < had
}

// gone takes note that a forge does not know a repository, or not any more. One that was found by a pattern is left alone until its owner is
// said to have it, or its webhooks come; one that is named is asked for as long as it is.
func (w *Watch) gone(r Repository) {
	if w.repositories.drop(time.Now(), func(other Repository) bool { return other.id() != r.id() }) {
		w.log.Info("a repository that was found by a pattern is gone", "provider", r.Forge, "subject", r.Name)
		w.replan()
	}
}

// ParseWanted reads a repository of GitHub's, "owner/name", or a pattern of an owner's, "owner/*" or "owner/svc-*".
func ParseWanted(forgeName, text string) (Wanted, error) {
	owner, name, ok := strings.Cut(text, "/")
	switch {
	case !ok || owner == "" || name == "" || strings.Contains(owner, "*"):
		return Wanted{}, fmt.Errorf("%.80q is no repository; it must be owner/name, or owner/* for all of an owner's", text)
	case !validPart(owner) || !validPart(name):
		return Wanted{}, fmt.Errorf("%.80q is no repository: owner and name are made of letters, digits, '.', '-' and '_'", text)
	}
	pattern, err := policy.NewPattern(strings.ToLower(text))
	if err != nil {
		return Wanted{}, err
	}
	return Wanted{Forge: forgeName, Owner: owner, Pattern: pattern, Name: text}, nil
}

// isPath reports whether the name can be one, so that it may stand in the path of a request.
func (r Repository) isPath() bool {
	parts := strings.Split(r.Name, "/")
	return len(parts) > 1 && !slices.ContainsFunc(parts, func(part string) bool { return !validPart(part) || strings.Contains(part, "*") })
}

// validPart reports whether a text can be an owner or a name, or a pattern of one.
func validPart(part string) bool {
	if part == "" || part == "." || part == ".." {
		return false
	}
	const allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_*"
	return !strings.ContainsFunc(part, func(r rune) bool { return !strings.ContainsRune(allowed, r) })
}
