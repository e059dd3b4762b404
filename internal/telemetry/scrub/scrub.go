// Package scrub keeps what is nobody's business out of telemetry: it stands between the process and the exporters of traces, logs
// and metrics, and fails closed.
//
// Attributes of traces pass only if their key is on the list of [Keys]. Texts, wherever they stand, are searched for secrets, tokens,
// e-mail addresses, card and phone numbers, which are replaced by [Redacted]; texts that are too long are cut.
//
// What a text is searched for has a shape. A secret without one, a password in a sentence, is found only where its name stands
// before it: so the list of keys is what keeps secrets out, and the search is the second line.
package scrub

import (
	"hash/maphash"
	"regexp"
	"strings"
	"unicode/utf8"
)

const (
	// Redacted stands where something was taken out.
	Redacted = "[redacted]"
	// Cut ends a text that was too long.
	Cut = "…[cut]"

	maxValue   = 4 << 10  // bytes of a text
	maxContent = 64 << 10 // bytes of what people and models write
	maxName    = 256      // bytes of a name, of a span say
	// edge is what goes with a cut, so that no first half of something stays that was not known by it.
	edge = 128
)

// Options say what passes.
type Options struct {
	// Content lets the attributes of [ContentKeys] pass.
	Content bool
	// ResourceKeys may stand in the resource, besides [Keys]: those that the operator has given it.
	ResourceKeys []string
}

// Scrubber takes out of telemetry what must not be in it. Make one with [New]; it is safe for concurrent use.
type Scrubber struct {
	limits   map[string]int // bytes of the text of an allowed key
	resource map[string]bool
	starts   [256][]string // how what [tokenPattern] finds begins, by its first byte
	rules    []rule
	clean    cleanTexts
}

// New returns a Scrubber.
func New(o Options) *Scrubber {
	s := &Scrubber{limits: map[string]int{}, resource: map[string]bool{}, rules: rules(), clean: cleanTexts{seed: maphash.MakeSeed()}}
	for _, key := range Keys() {
		s.limits[key] = maxValue
	}
	if o.Content {
		for _, key := range ContentKeys() {
			s.limits[key] = maxContent
		}
	}
	for _, key := range o.ResourceKeys {
		s.resource[key] = true
	}
	for _, start := range tokenStarts() {
		for _, first := range []byte{start[0], strings.ToUpper(start)[0]} {
			s.starts[first] = append(s.starts[first], start) // twice for a -, which does no harm
		}
	}
	return s
}

// Text returns text without what must not be in it, and no more than 4 KiB of it.
func (s *Scrubber) Text(text string) string { return s.text(text, maxValue) }

func (s *Scrubber) text(text string, limit int) string {
	long := len(text) > limit
	if !long && s.clean.has(text) {
		return text
	}
	if long {
		text = text[:limit] // the work is bounded first
	}
	if !utf8.ValidString(text) { // one such text, and no collector takes the batch that it is in
		text = strings.ToValidUTF8(text, string(utf8.RuneError))
	}
	given := text
	text = s.search(text)
	if seen, ok := fold(text); ok {
		if clean := s.search(seen); clean != seen {
			text = clean
		}
	}
	if long {
		return cut(text)
	}
	if text == given {
		s.clean.add(text)
	}
	return text
}

// search returns text with what is found in it masked.
func (s *Scrubber) search(text string) string {
	if signs := s.signs(text); signs != 0 {
		for _, r := range s.rules {
			if signs&r.signs == r.signs {
				text = r.apply(text)
			}
		}
	}
	return text
}

// cut takes off the end of a text that goes on, back to where a word ends.
func cut(text string) string {
	text = text[:max(0, len(text)-edge)]
	if i := strings.LastIndexAny(text, " \t\r\n"); i >= 0 {
		text = text[:i]
	} else {
		text = ""
	}
	return text + Cut
}

// rule finds one kind of what must not be told.
type rule struct {
	signs   sign
	pattern *regexp.Regexp
	// mask returns what stands in the place of a match, given where it and its groups are, and whether it is one at all.
	mask func(text string, groups []int) (string, bool)
}

// apply returns text with each match masked.
func (r rule) apply(text string) string {
	var b strings.Builder
	end, from := 0, 0 // of what is written; where the next match is looked for
	for from < len(text) {
		m := r.pattern.FindStringSubmatchIndex(text[from:])
		if m == nil {
			break
		}
		for i := range m {
			if m[i] >= 0 {
				m[i] += from
			}
		}
		masked, ok := r.mask(text, m)
		if !ok { // another may begin within it
			from = m[0] + 1
			continue
		}
		b.WriteString(text[end:m[0]])
		b.WriteString(masked)
		end, from = m[1], m[1]
	}
	if end == 0 {
		return text
	}
	return b.String() + text[end:]
}

// name returns a name without what must not be in it, and no more than 256 bytes of it.
func (s *Scrubber) name(name string) string {
	if name = s.Text(name); len(name) <= maxName {
		return name
	}
	end := maxName
	for end > 0 && !utf8.RuneStart(name[end]) {
		end--
	}
	return name[:end]
}
