package section

// Match reports whether text is pattern, in which each * stands for any text, slashes and nothing included.
func Match(pattern, text string) bool {
	star, mark := -1, 0 // the last *, and where the text behind it is tried to begin
	p, t := 0, 0
	for t < len(text) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, t
			p++
		case p < len(pattern) && pattern[p] == text[t]:
			p++
			t++
		case star >= 0:
			p = star + 1
			mark++
			t = mark
		default:
			return false
		}
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}
