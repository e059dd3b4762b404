package gitlab

import (
	"net/url"
	"strings"
	"time"
	"unicode/utf8"
)

// Bounds of what an answer says, in bytes.
const (
	maxText = 256
	maxURL  = 2048
)

// bounded makes a text of an answer valid, printable UTF-8 of at most maxText bytes, in one line.
func bounded(text string) string {
	text = printable(text)
	if len(text) > maxText {
		text = strings.ToValidUTF8(text[:maxText], "")
	}
	return strings.TrimSpace(text)
}

// printable leaves out what is not.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r <= 0x9f || r == utf8.RuneError || r == '\u2028' || r == '\u2029' {
			return -1
		}
		return r
	}, text)
}

// firstLine returns the first line of a text that says something, bounded.
func firstLine(text string) string {
	const enough = 4 << 10 // a commit's message may be long, and most of it is not looked at
	if len(text) > enough {
		text = text[:enough]
	}
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	return bounded(line)
}

// first returns the first of several texts that says something.
func first(texts ...string) string {
	for _, text := range texts {
		if text = bounded(text); text != "" {
			return text
		}
	}
	return ""
}

// webURL returns raw when it is an absolute http(s) URL of reasonable size, otherwise nothing.
func webURL(raw string) string {
	if len(raw) > maxURL {
		return ""
	}
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.User != nil || (u.Scheme != "https" && u.Scheme != "http") {
		return ""
	}
	if text := u.String(); len(text) <= maxURL {
		return text
	}
	return ""
}

// sane returns t in UTC when RFC 3339 can say it and it is not before Unix time; otherwise the zero time.
func sane(t time.Time) time.Time {
	if t = t.UTC(); t.Year() < 1970 || t.Year() > 9999 {
		return time.Time{}
	}
	return t
}

// ascending makes no time earlier than the one before it; a time that is not known is that before it, or the next that is.
func ascending(times ...*time.Time) {
	for i := len(times) - 2; i >= 0; i-- {
		if times[i].IsZero() {
			*times[i] = *times[i+1]
		}
	}
	for i := 1; i < len(times); i++ {
		if times[i].Before(*times[i-1]) {
			*times[i] = *times[i-1]
		}
	}
}
