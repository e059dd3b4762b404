package scrub

import (
	"regexp"
	"strings"
)

// tokenStarts returns how the tokens begin that [tokenPattern] finds, in any case: nothing else is searched for them, but for the
// seeds of NATS keys, which are known by their length.
func tokenStarts() []string {
	return []string{
		"bearer", "basic", "negotiate", "sk-", "sk_", "rk_", "pk_", "whsec_", "whsk_", "akia", "asia", "abia", "acca", "gho_", "ghp_", "ghr_", "ghs_", "ghu_",
		"github_pat_", "glpat-", "gldt-", "glrt-", "xox", "xapp-", "hf_", "hvs.", "hvb.", "hvr.", "aiza", "ya29.", "npm_", "pypi-", "dop_v1_", "sg.", "eyj",
		"-----begin", "age-secret-key-", "s.", "apikey", "x-vault-token", "gsk_", "r8_", "shpat_", "lin_api_", "nvapi-",
	}
}

// tokenPattern finds what is a secret by its shape.
const tokenPattern = `-----BEGIN[^-]{0,40}-----[\s\S]*?(?:-----END[^-]{0,40}-----|$)` +
	`|(?i:\b(?:bearer|negotiate|apikey)[\s:=]+[a-z0-9._~+/=-]{6,})` +
	`|(?i:\bbasic\s+)[A-Za-z0-9+/_-]*[A-Z0-9=][A-Za-z0-9+/=_-]{5,}` +
	`|\b(?:sk|rk|pk|gsk)[-_][A-Za-z0-9_-]{8,}` + // at the start of a word: task-list is none
	`|(?:sk|rk)-[A-Za-z0-9_-]*[0-9][A-Za-z0-9_-]{16,}` +
	`|(?:sk|rk)_(?:live|test)_[A-Za-z0-9]{8,}` +
	`|wh(?:sec|sk)_[A-Za-z0-9+/=_-]{4,}` +
	`|(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{12,}` +
	`|gh[opsru]_[A-Za-z0-9]{10,}|github_pat_[A-Za-z0-9_]{10,}|gl(?:pat|dt|rt)-[A-Za-z0-9_-]{10,}` +
	`|xox[a-z]-[A-Za-z0-9-]{6,}|xapp-[A-Za-z0-9-]{6,}|shpat_[a-fA-F0-9]{16,}|lin_api_[A-Za-z0-9]{16,}|nvapi-[A-Za-z0-9_-]{16,}` +
	`|\bhf_[A-Za-z0-9]{10,}|\br8_[A-Za-z0-9]{16,}|hv[sbr]\.[A-Za-z0-9_-]{8,}|\bs\.[A-Za-z0-9]{20,}` +
	`|AIza[A-Za-z0-9_-]{20,}|ya29\.[A-Za-z0-9_-]{10,}|npm_[A-Za-z0-9]{20,}|pypi-[A-Za-z0-9_-]{20,}|dop_v1_[a-f0-9]{20,}` +
	`|\bSG\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}` +
	`|eyJ[A-Za-z0-9_-]{6,}(?:\.[A-Za-z0-9_-]*){0,4}` +
	`|AGE-SECRET-KEY-[A-Z0-9]{10,}` +
	`|\b(?:S[UAOCNX]|PA)[A-Z2-7]{54,56}` // the seeds of NATS keys

// pairPattern finds a name that promises a secret, and what stands after it.
const pairPattern = `(?i)(pass(?:word|wd|phrase)?|pwd|secret|token|api[-_. ]?key|access[-_. ]?key|private[-_. ]?key|seal[-_. ]?key|signing[-_. ]?key|client[-_. ]?secret|` +
	`authorization|credentials?|cookie|\bsig(?:nature)?|\bauth|\bcode|\bkey)` +
	`(\\*["']?\s*[:=]\s*)(\\*["'])?([^\s"'\\,;&})\]]{3,})`

// rules returns what texts are searched for, in this order.
func rules() []rule {
	redact := func(string, []int) (string, bool) { return Redacted, true }
	return []rule{
		{signs: signToken, pattern: regexp.MustCompile(tokenPattern), mask: redact},
		{signs: signScheme | signAt, pattern: regexp.MustCompile(`://[^/\s?#]*@`), mask: func(string, []int) (string, bool) { return "://" + Redacted + "@", true }},
		{signs: signPair, pattern: regexp.MustCompile(pairPattern), mask: maskPair},
		{signs: signAt, pattern: regexp.MustCompile(`(?i)[\p{L}\p{N}._%+'!#$&*/=?^{|}~-]+(?:@|%40)(?:[\p{L}\p{N}-]+\.)+[\p{L}]{2,}`), mask: redact},
		{signs: signCard, pattern: regexp.MustCompile(`[0-9](?:[ .-]?[0-9]){12,}`), mask: maskCard},
		{signs: signPhone, pattern: regexp.MustCompile(phonePattern), mask: maskPhone},
	}
}

// maskPair keeps the name. References to secrets (secret:NAME) and numbers of tokens are none, nor is what is redacted already.
func maskPair(text string, g []int) (string, bool) {
	name, between, value := text[g[2]:g[3]], text[g[4]:g[5]], text[g[8]:g[9]]
	switch {
	case strings.HasPrefix(value, Redacted[:len(Redacted)-1]),
		strings.EqualFold(name, "secret") && between == ":" && isReference(value),
		(strings.EqualFold(name, "code") || strings.EqualFold(name, "key") || strings.EqualFold(name, "auth")) && !strings.Contains(between, "="):
		return "", false
	}
	return text[g[0]:g[8]] + Redacted, true
}

// isReference reports whether a text looks like the name of a secret: small letters, digits and a few signs.
func isReference(text string) bool {
	return strings.Trim(text, "abcdefghijklmnopqrstuvwxyz0123456789_.#/") == "" && len(text) <= 64 && strings.ContainsAny(text, "_abcdefghijklmnopqrstuvwxyz")
}

// maskCard masks what are numbers of cards among digits: 13 to 19 of them that are whole groups, the last of which is right
// (ISO/IEC 7812).
func maskCard(text string, g []int) (string, bool) {
	match := text[g[0]:g[1]]
	if !strings.Contains(match, " ") && (g[0] > 0 && isLetter(text[g[0]-1]) || g[1] < len(text) && isLetter(text[g[1]])) {
		return match, true // all of it is part of an id
	}
	var b strings.Builder
	for at := 0; at < len(match); {
		n := 0
		if startsGroup(match, at) && match[at] >= '2' && match[at] <= '6' {
			n = cardLength(match[at:])
		}
		if n > 0 {
			b.WriteString(Redacted)
			at += n
			continue
		}
		b.WriteByte(match[at])
		at++
	}
	return b.String(), true
}

// cardLength returns how many bytes of the number of a card text begins with, 0 for none.
func cardLength(text string) int {
	digits := 0
	for i := 0; i < len(text) && digits < 19; i++ {
		if !isDigit(text[i]) {
			continue
		}
		digits++
		if digits >= 13 && (i+1 == len(text) || !isDigit(text[i+1])) && luhn(text[:i+1]) {
			return i + 1
		}
	}
	return 0
}

// startsGroup reports whether a group of digits begins there.
func startsGroup(text string, at int) bool {
	return isDigit(text[at]) && (at == 0 || !isDigit(text[at-1]))
}

// luhn reports whether the digits of a text have the sum that those of cards have.
func luhn(text string) bool {
	sum, n := 0, 0
	for i := len(text) - 1; i >= 0; i-- {
		if !isDigit(text[i]) {
			continue
		}
		d := int(text[i] - '0')
		if n%2 == 1 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
		n++
	}
	return sum%10 == 0
}

// phonePattern finds +49 170 1234567, (555) 123-4567, 555-123-4567 and 0170 1234567; digits alone are an id as likely.
const phonePattern = `\+[1-9][0-9](?:[ ().\-/]{0,2}[0-9]){5,13}` +
	`|\([0-9]{2,5}\)[ ]?[0-9]{3,5}(?:[ .-][0-9]{2,5}){1,3}` +
	`|[2-9][0-9]{2}[ .-][2-9][0-9]{2}[ .-][0-9]{4}` +
	`|00[1-9][0-9]{0,2}[ ./-][0-9](?:[ ./-]?[0-9]){5,}` +
	`|0[1-9][0-9]{1,4}[ /-][0-9](?:[ -]?[0-9]){4,}`

// maskPhone masks what stands by itself: parts of ids, versions and times do not.
func maskPhone(text string, g []int) (string, bool) {
	if first := text[g[0]]; first == '+' || first == '(' {
		return Redacted, true
	}
	begins := g[0] == 0 || !isWord(text[g[0]-1])
	ends := g[1] == len(text) || !isWord(text[g[1]]) || strings.Contains(text[g[0]:g[1]], " ") // no id has a space
	return Redacted, begins && ends
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// isWord reports whether c belongs to the id or the number that it stands beside.
func isWord(c byte) bool {
	return isDigit(c) || isLetter(c) || c == '-'
}

func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' }
