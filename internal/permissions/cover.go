package permissions

import (
	"slices"
	"strings"
)

// Covers reports whether a pattern of subjects matches all that another one matches, which may be a plain subject.
func Covers(pattern, other string) bool {
	p, o := strings.Split(pattern, "."), strings.Split(other, ".")
	for i, token := range p {
		if token == ">" {
			return len(o) > i
		}
		if i >= len(o) || o[i] == ">" || token != "*" && token != o[i] {
			return false
		}
	}
	return len(p) == len(o)
}

// meet reports whether there is a subject that both patterns match.
func meet(a, b string) bool {
	x, y := strings.Split(a, "."), strings.Split(b, ".")
	for i := range min(len(x), len(y)) {
		if x[i] == ">" || y[i] == ">" {
			return true
		}
		if x[i] != y[i] && x[i] != "*" && y[i] != "*" {
			return false
		}
	}
	return len(x) == len(y)
}

// minimal sorts patterns and drops those that another one covers.
func minimal(patterns []string) []string {
	sorted := slices.Compact(slices.Sorted(slices.Values(patterns)))
	return slices.DeleteFunc(slices.Clone(sorted), func(p string) bool {
		return slices.ContainsFunc(sorted, func(other string) bool { return other != p && Covers(other, p) })
	})
}
