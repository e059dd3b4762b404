package rest

import (
	"net/url"
	"strings"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// MaxBranch bounds the name of a branch, in bytes, as GitHub does.
const MaxBranch = 255

// CheckBranch accepts what git accepts as far as it matters here; a branch travels as a query parameter or in JSON. Its error has code
// invalid_argument.
func CheckBranch(branch string) error {
	if len(branch) > MaxBranch {
		return events.Errorf(events.CodeInvalidArgument, "the branch has %d bytes; at most %d are allowed", len(branch), MaxBranch)
	}
	if strings.ContainsFunc(branch, func(r rune) bool { return r <= ' ' || r == 0x7f || r == '\uFFFD' }) {
		return events.Errorf(events.CodeInvalidArgument, "the branch %q has a space, a control character or invalid UTF-8", Clip(branch))
	}
	return nil
}

// IsSegment reports whether s is made of what forges allow in the names of owners and repositories, A-Z a-z 0-9 _ . and -. Nothing of
// it needs escaping in a path, and it leads to no other.
func IsSegment(s string) bool {
	if s == "" || s == "." || s == ".." {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_' && r != '.' && r != '-'
	})
}

// IsETag reports whether what an answer gave as its ETag can be sent back.
func IsETag(etag string) bool {
	const most = 256
	return etag != "" && len(etag) <= most && !strings.ContainsFunc(etag, func(r rune) bool { return r <= ' ' || r > '~' })
}

// SameOrigin reports whether two URLs are of the same server.
func SameOrigin(a, b *url.URL) bool {
	return a.Scheme == b.Scheme && strings.EqualFold(a.Host, b.Host)
}

// Clip bounds what a caller gave and is repeated in an error.
func Clip(s string) string {
	const most = 80
	if len(s) > most {
		return strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}
