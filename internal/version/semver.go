package version

import (
	"regexp"
	"strings"
)

// SemVer returns v as a semantic version, which the NATS micro protocol asks for: without a leading "v", and for a build
// that has none, such as "devel+1a2b3c", a pre-release of 0.0.0 that says the same ("0.0.0-devel+1a2b3c").
func SemVer(v string) string {
	plain := strings.TrimPrefix(v, "v")
	// https://semver.org: numbers, then pre-release and build in dot-separated identifiers.
	const rest = `(-[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?(\+[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?`
	if regexp.MustCompile(`^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)` + rest + `$`).MatchString(plain) {
		return plain
	}
	if candidate := "0.0.0-" + v; regexp.MustCompile(`^0\.0\.0` + rest + `$`).MatchString(candidate) {
		return candidate
	}
	return "0.0.0-" + strings.Trim(regexp.MustCompile(`[^0-9A-Za-z-]+`).ReplaceAllString(v, "-"), "-")
}
