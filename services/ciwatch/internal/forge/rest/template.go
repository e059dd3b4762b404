package rest

import (
	"slices"
	"strings"
)

// Template returns the template that a path has the form of, in which {} stands for one segment each: what is not among them has none.
// So the name of a span never has a repository in it, nor anything else that was asked for.
func Template(path string, templates []string) string {
	segments := strings.Split(path, "/")
	i := slices.IndexFunc(templates, func(template string) bool {
		parts := strings.Split(template, "/")
		return len(parts) == len(segments) && matches(parts, segments)
	})
	if i < 0 {
		return ""
	}
	return templates[i]
}

// matches reports whether segments have the form of parts.
func matches(parts, segments []string) bool {
	for i, part := range parts {
		if !strings.HasPrefix(part, "{") && part != segments[i] {
			return false
		}
	}
	return true
}
