package github

import (
	"strings"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge/rest"
)

// checkRepository accepts "owner/name": two segments of a path, neither of which needs escaping, or can reach another path.
func checkRepository(repository string) error {
	if !isRepository(repository) {
		return events.Errorf(events.CodeInvalidArgument, "the repository is %q; it must be owner/name, each of A-Z a-z 0-9 _ . -", rest.Clip(repository))
	}
	return nil
}

// isSegment reports whether s is what GitHub allows in the names of owners and repositories.
func isSegment(s string) bool { return len(s) <= 100 && rest.IsSegment(s) }

// isRepository reports whether s is owner/name.
func isRepository(s string) bool {
	owner, name, ok := strings.Cut(s, "/")
	return ok && isSegment(owner) && isSegment(name)
}
