package gitlab

import (
	"net/url"
	"strings"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

const (
	maxBranch   = 255 // bytes of the name of a branch
	maxPath     = 512 // bytes of the path of a project with its groups
	maxSegments = 24  // GitLab allows 20 groups in each other
)

// checkRepository accepts "group/project" and "group/sub/project". Only its slashes need escaping in a path, and it can reach no other.
func checkRepository(repository string) error {
	if !isRepository(repository) {
		return events.Errorf(events.CodeInvalidArgument, "the repository is %q; it must be group/project or group/sub/project, each of A-Z a-z 0-9 _ . -", clip(repository))
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

// isSegment reports whether s is what GitLab allows in the paths of groups and projects.
func isSegment(s string) bool {
	if s == "" || s == "." || s == ".." {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_' && r != '.' && r != '-'
	})
}

// isOwner reports whether s is the path of a group, or of a user.
func isOwner(s string) bool {
	if len(s) > maxPath || strings.Count(s, "/") >= maxSegments {
		return false
	}
	for segment := range strings.SplitSeq(s, "/") {
		if !isSegment(segment) {
			return false
		}
	}
	return true
}

// isRepository reports whether s is the path of a project.
func isRepository(s string) bool { return strings.Contains(s, "/") && isOwner(s) }

// escaped makes a path one segment of a URL: group%2Fproject.
func escaped(path string) string { return url.PathEscape(path) }

// clip bounds what a caller gave and is repeated in an error.
func clip(s string) string {
	const most = 80
	if len(s) > most {
		return strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}
