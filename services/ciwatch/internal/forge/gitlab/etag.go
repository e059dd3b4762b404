package gitlab

import "strings"

// isETag reports whether what an answer gave as its ETag can be sent back. GitLab's depend on the answer alone, so that they are good for
// every token.
func isETag(etag string) bool {
	const most = 256
	return etag != "" && len(etag) <= most && !strings.ContainsFunc(etag, func(r rune) bool { return r <= ' ' || r > '~' })
}
