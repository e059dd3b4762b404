package client

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func TestCovers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a, b            string
		covers, overlap bool
	}{
		{">", "a", true, true},
		{">", "a.b.c", true, true},
		{"a.>", "a", false, false},
		{"a.>", "a.b", true, true},
		{"a.>", "a.>", true, true},
		{"a.*", "a.b", true, true},
		{"a.*", "a.>", false, true},
		{"a.*", "a.b.c", false, false},
		{"*.b", "a.*", false, true},
		{"*", "a", true, true},
		{"*", "a.b", false, false},
		{"a", "a", true, true},
		{"a", "b", false, false},
		{"a.b", "a", false, false},
	} {
		if got := covers(c.a, c.b); got != c.covers {
			t.Errorf("covers(%q, %q) = %v", c.a, c.b, got)
		}
		if got := overlap(c.a, c.b); got != c.overlap {
			t.Errorf("overlap(%q, %q) = %v", c.a, c.b, got)
		}
		if got := overlap(c.b, c.a); got != c.overlap {
			t.Errorf("overlap(%q, %q) = %v", c.b, c.a, got)
		}
	}
}

// What the server lets pass must be all that was asked for, and no two filters may overlap, or it refuses them.
func TestFiltersLetEverythingPassThatWasAskedFor(t *testing.T) {
	t.Parallel()
	types := []string{}
	for _, a := range "ab" {
		types = append(types, string(a))
		for _, b := range "ab" {
			types = append(types, fmt.Sprintf("%c.%c", a, b), fmt.Sprintf("%c.%c.a", a, b), fmt.Sprintf("%c.%c.b", a, b))
		}
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		patterns := make([]string, 1+rnd.IntN(4))
		for i := range patterns {
			tokens := make([]string, 1+rnd.IntN(3))
			for j := range tokens {
				tokens[j] = []string{"a", "b", "*"}[rnd.IntN(3)]
			}
			if rnd.IntN(3) == 0 {
				tokens[len(tokens)-1] = ">"
			}
			patterns[i] = strings.Join(tokens, ".")
		}
		filters := filtersOf(patterns)
		for i, f := range filters {
			for _, g := range filters[i+1:] {
				if overlap(f, g) {
					t.Fatalf("filtersOf(%q) = %q overlap", patterns, filters)
				}
			}
		}
		for _, eventType := range types {
			asked := slices.ContainsFunc(patterns, func(p string) bool { return covers(p, eventType) })
			passes := slices.ContainsFunc(filters, func(p string) bool { return covers(p, eventType) })
			if asked && !passes {
				t.Fatalf("filtersOf(%q) = %q keeps %q away", patterns, filters, eventType)
			}
		}
	}
}

func TestCheckPattern(t *testing.T) {
	t.Parallel()
	for _, good := range []string{">", "*", "a", "a.*", "a.>", "*.*.b", "custom.deploy_1-x"} {
		if err := checkPattern(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, bad := range []string{"", ".", "a.", ".a", "a..b", ">.a", "a*", "a.b>", "a b", "ü", "a.\x00", strings.Repeat("a", 200)} {
		if err := checkPattern(bad); err == nil {
			t.Errorf("%q is taken for a pattern", bad)
		}
	}
}
