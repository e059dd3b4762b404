package github

import (
	"strings"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// maxBranch bounds the name of a branch, in bytes, as GitHub does.
const maxBranch = 255

// checkRepository accepts "owner/name": two segments of a path, neither of which needs escaping, or can reach another path.
func checkRepository(repository string) error {
	if !isRepository(repository) {
		return events.Errorf(events.CodeInvalidArgument, "the repository is %q; it must be owner/name, each of A-Z a-z 0-9 _ . -", clip(repository))
	}
	return nil
}

// checkBranch accepts what git accepts as far as it matters here; a branch travels as a query parameter or in JSON.
func checkBranch(branch string) error {
	if len(branch) > maxBranch {
		return events.Errorf(events.CodeInvalidArgument, "the branch has %d bytes; at most %d are allowed", len(branch), maxBranch)
	}
	if strings.ContainsFunc(branch, func(r rune) bool { return r <= ' ' || r == 0x7f || r == '\uFFFD' }) {
		return events.Errorf(events.CodeInvalidArgument, "the branch %q has a space, a control character or invalid UTF-8", clip(branch))
	}
	return nil
}

// isSegment reports whether s is what GitHub allows in the names of owners and repositories. Nothing of it needs escaping in
// a path.
func isSegment(s string) bool {
	if s == "" || s == "." || s == ".." || len(s) > 100 {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_' && r != '.' && r != '-'
	})
}

// isRepository reports whether s is owner/name.
func isRepository(s string) bool {
	owner, name, ok := strings.Cut(s, "/")
	return ok && isSegment(owner) && isSegment(name)
}

// clip bounds what a caller gave and is repeated in an error.
func clip(s string) string {
	const most = 80
	if len(s) > most {
		return strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}
