package gitlab

import (
	"net/url"
	"strings"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge/rest"
)

const (
	maxPath     = 512 // bytes of the path of a project with its groups
	maxSegments = 24  // GitLab allows 20 groups in each other
)

// checkRepository accepts "group/project" and "group/sub/project". Only its slashes need escaping in a path, and it can reach no other.
func checkRepository(repository string) error {
	if !isRepository(repository) {
		return events.Errorf(events.CodeInvalidArgument, "the repository is %q; it must be group/project or group/sub/project, each of A-Z a-z 0-9 _ . -", rest.Clip(repository))
	}
	return nil
}

// isOwner reports whether s is the path of a group, or of a user.
func isOwner(s string) bool {
	if len(s) > maxPath || strings.Count(s, "/") >= maxSegments {
		return false
	}
	for segment := range strings.SplitSeq(s, "/") {
		if !rest.IsSegment(segment) {
			return false
		}
	}
	return true
}

// isRepository reports whether s is the path of a project.
func isRepository(s string) bool { return strings.Contains(s, "/") && isOwner(s) }

// escaped makes a path one segment of a URL: group%2Fproject.
func escaped(path string) string { return url.PathEscape(path) }
