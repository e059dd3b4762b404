package llmtest

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// Mutation is a text that something was done to.
type Mutation struct{ Name, Text string }

// span is a JSON value in a text; in an object, with its name.
type span struct {
	path       string
	name       int // where the name starts; -1 when there is none
	start, end int
}

// spans finds all values of a JSON text, the outermost too.
func spans(text string) []span {
	d := jsontext.NewDecoder(strings.NewReader(text))
	var all, open []span
	name := -1
	for {
		before := int(d.InputOffset())
		token, err := d.ReadToken()
		if err != nil {
			return all // io.EOF, or a dialect that writes something else than JSON: what there is, is mutated
		}
		end := int(d.InputOffset())
		start := before + strings.IndexFunc(text[before:], func(r rune) bool { return !strings.ContainsRune(" \t\r\n,:", r) })
		parent, members := d.StackIndex(d.StackDepth())
		switch token.Kind() {
		case '{', '[':
			open, name = append(open, span{path: string(d.StackPointer()), name: name, start: start}), -1
			continue
		case '}', ']':
			last := open[len(open)-1]
			last.end, open = end, open[:len(open)-1]
			all = append(all, last)
		default:
			if parent == '{' && members%2 == 1 {
				name = start
				continue
			}
			all = append(all, span{path: string(d.StackPointer()), name: name, start: start, end: end})
		}
		name = -1
	}
}

// replacements are what stands in the place of a value.
func replacements() []string {
	return []string{
		`null`, `true`, `0`, `-1`, `1.5`, `1e400`, `1e19`, `9223372036854775807`, `-9223372036854775809`, `""`, `"x"`, `" "`, `"\u0000"`, `"\ud800"`,
		"\"\xff\xfe\"", `[]`, `{}`, `[null]`, `[{}]`, `{"":null}`, `[[1],"a",{"b":2}]`, `NaN`, `'x'`, ``, `"`,
	}
}

// large are more of them, which take their time.
func large() []string {
	const depth = 20000
	return []string{
		strings.Repeat("[", depth) + strings.Repeat("]", depth), strings.Repeat(`{"a":`, depth) + "1" + strings.Repeat("}", depth),
		`"` + strings.Repeat("x", 1<<16) + `"`, strings.Repeat("9", 400),
	}
}

// Mutate does to a JSON text all that a broken, or a hostile, server might: it is cut wherever one kind of byte ends, values have other
// types, are too large or too deep, are no UTF-8, are missing, or come twice. The same text has the same mutations each time.
func Mutate(text string) []Mutation { return mutate(text, make(map[string]bool)) }

// mutate puts what is large in the place only of values whose paths it has not seen.
func mutate(text string, seen map[string]bool) []Mutation {
	var all []Mutation
	for _, at := range edges(text) {
		all = append(all, Mutation{fmt.Sprintf("cut at %d", at), text[:at]})
	}
	for _, s := range spans(text) {
		values := replacements()
		if !seen[s.path] {
			values, seen[s.path] = append(values, large()...), true
		}
		for i, value := range values {
			all = append(all, Mutation{fmt.Sprintf("%s becomes number %d, %.20s", s.path, i, value), text[:s.start] + value + text[s.end:]})
		}
		from := s.start
		if s.name >= 0 {
			from = s.name
			member := text[from:s.end]
			all = append(all,
				Mutation{s.path + " twice", text[:from] + member + "," + text[from:]},
				Mutation{s.path + " twice, first null", text[:from] + text[from:s.start] + "null," + text[from:]},
				Mutation{s.path + " twice, then null", text[:s.end] + "," + text[from:s.start] + "null" + text[s.end:]},
				Mutation{s.path + " in capitals", text[:from] + strings.ToUpper(text[from:s.start]) + text[s.start:]},
			)
		} else if s.path != "" {
			all = append(all, Mutation{s.path + " twice", text[:s.end] + "," + text[s.start:]})
		}
		head, tail := text[:from], text[s.end:]
		if rest, comma := strings.CutPrefix(tail, ","); comma {
			tail = rest
		} else {
			head = strings.TrimSuffix(head, ",")
		}
		all = append(all, Mutation{s.path + " is missing", head + tail})
	}
	return append(all, Mutation{"twice", text + text}, Mutation{"with a tail", text + "x"}, Mutation{"with a mark", "\ufeff" + text},
		Mutation{"in UTF-16", strings.Join(strings.Split(text, ""), "\x00")}, Mutation{"nothing", ""})
}

// MutateStream does to a stream what [Mutate] does, to each piece of it, and leaves pieces out, doubles and swaps them.
func MutateStream(pieces []string) []Mutation {
	whole, seen := strings.Join(pieces, ""), make(map[string]bool)
	var all []Mutation
	for _, at := range edges(whole) {
		all = append(all, Mutation{fmt.Sprintf("cut at %d", at), whole[:at]})
	}
	for i, piece := range pieces {
		head, tail := strings.Join(pieces[:i], ""), strings.Join(pieces[i+1:], "")
		name := fmt.Sprintf("piece %d ", i)
		all = append(all, Mutation{name + "is missing", head + tail}, Mutation{name + "twice", head + piece + piece + tail},
			Mutation{name + "last", head + tail + piece}, Mutation{name + "first", piece + head + tail})
		start, end := strings.IndexByte(piece, '{'), strings.LastIndexByte(piece, '}')+1
		if start < 0 || end <= start {
			continue
		}
		for _, m := range mutate(piece[start:end], seen) {
			all = append(all, Mutation{name + m.Name, head + piece[:start] + m.Text + piece[end:] + tail})
		}
	}
	return all
}

// some returns at most n of all, evenly spread, so that what is done many times stays a matter of seconds.
func some[T any](all []T, n int) []T {
	if len(all) <= n {
		return all
	}
	few := make([]T, n)
	for i := range few {
		few[i] = all[i*len(all)/n]
	}
	return few
}

// edges are the places where one kind of byte ends and another begins.
func edges(text string) []int {
	kind := func(c byte) int {
		switch {
		case c >= '0' && c <= '9':
			return 1
		case c >= 0x80:
			return 2
		case bytes.IndexByte([]byte(" \t\r\n"), c) >= 0:
			return 3
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c == '_':
			return 4
		default:
			return int(c) + 0x100 // each mark is of its own kind
		}
	}
	var all []int
	for i := 1; i < len(text); i++ {
		if kind(text[i]) != kind(text[i-1]) {
			all = append(all, i)
		}
	}
	return all
}
