package native

import (
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// Object returns the text of a JSON object of a server's, without white space around its parts and in valid UTF-8. It overwrites raw.
func Object(raw jsontext.Value) (string, bool) {
	if raw.Kind() != '{' {
		return "", false
	}
	if err := raw.Compact(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)); err != nil {
		return "", false
	}
	return strings.ToValidUTF8(string(raw), "\ufffd"), true
}

// maxCount bounds one count of tokens, far above what there is, so that sums cannot overflow.
const maxCount = 1 << 40

// Count makes a server's count of tokens one that can be reckoned with. Some servers count in fractions.
func Count(n float64) int {
	if !(n > 0) { // not a number is not more than 0 either
		return 0
	}
	return int(min(n, maxCount) + 0.5)
}
