package rest

import (
	"net/url"
	"strings"
	"time"
	"unicode/utf8"
)

// Bounds of what an answer says, in bytes.
const (
	MaxText = 256
	MaxURL  = 2048
)

// Text makes a text of an answer valid, printable UTF-8 of at most MaxText bytes, in one line.
func Text(text string) string {
	text = Printable(text)
	if len(text) > MaxText {
		text = strings.ToValidUTF8(text[:MaxText], "")
	}
	return strings.TrimSpace(text)
}

// Printable leaves out what is not.
func Printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r <= 0x9f || r == utf8.RuneError || r == '\u2028' || r == '\u2029' {
			return -1
		}
		return r
	}, text)
}

// FirstLine returns the first line of a text that says something, bounded.
func FirstLine(text string) string {
	const enough = 4 << 10 // a commit's message may be long, and most of it is not looked at
	if len(text) > enough {
		text = text[:enough]
	}
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	return Text(line)
}

// First returns the first of several texts that says something.
func First(texts ...string) string {
	for _, text := range texts {
		if text = Text(text); text != "" {
			return text
		}
	}
	return ""
}

// WebURL returns raw when it is an absolute http(s) URL of reasonable size, otherwise nothing.
func WebURL(raw string) string {
	if len(raw) > MaxURL {
		return ""
	}
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.User != nil || (u.Scheme != "https" && u.Scheme != "http") {
		return ""
	}
	if text := u.String(); len(text) <= MaxURL {
		return text
	}
	return ""
}

// Sane returns t in UTC when RFC 3339 can say it and it is not before Unix time; otherwise the zero time.
func Sane(t time.Time) time.Time {
	if t = t.UTC(); t.Year() < 1970 || t.Year() > 9999 {
		return time.Time{}
	}
	return t
}

// Ascending makes no time earlier than the one before it; a time that is not known is that before it, or the next that is.
func Ascending(times ...*time.Time) {
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
