package client

import (
	"slices"
	"strings"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// checkPattern checks a pattern over event types: the tokens of a type, any of which may be *, and the last one >.
func checkPattern(pattern string) error {
	tokens := strings.Split(pattern, ".")
	for i, token := range tokens {
		if token == "*" || token == ">" && i == len(tokens)-1 {
			tokens[i] = "x"
		}
	}
	if err := events.CheckType(strings.Join(tokens, ".")); err != nil {
		return events.Errorf(events.CodeInvalidArgument, "%q is not a pattern of event types, like ci.* or custom.>: %w", pattern, err)
	}
	return nil
}

// covers reports whether every type that b matches is matched by a too; b may be a type, which matches itself.
func covers(a, b string) bool {
	as, bs := strings.Split(a, "."), strings.Split(b, ".")
	for i, token := range as {
		switch {
		case token == ">":
			return len(bs) > i
		case i >= len(bs), bs[i] == ">":
			return false
		case token != "*" && token != bs[i]:
			return false
		}
	}
	return len(as) == len(bs)
}

// overlap reports whether some type is matched by both.
func overlap(a, b string) bool {
	as, bs := strings.Split(a, "."), strings.Split(b, ".")
	for i := range min(len(as), len(bs)) {
		switch {
		case as[i] == ">" || bs[i] == ">":
			return true
		case as[i] != bs[i] && as[i] != "*" && bs[i] != "*":
			return false
		}
	}
	return len(as) == len(bs)
}

// filtersOf returns patterns for the server that let pass at least what the given ones match. JetStream refuses a
// consumer whose filters overlap: one that another covers is left out, and when two still overlap all types are let pass.
func filtersOf(patterns []string) []string {
	var filters []string
	for i, p := range patterns {
		covered := slices.ContainsFunc(patterns[:i], func(q string) bool { return covers(q, p) }) ||
			slices.ContainsFunc(patterns[i+1:], func(q string) bool { return covers(q, p) && q != p })
		if !covered {
			filters = append(filters, p)
		}
	}
	for i, p := range filters {
		if slices.ContainsFunc(filters[i+1:], func(q string) bool { return overlap(p, q) }) {
			return []string{">"}
		}
	}
	return filters
}
