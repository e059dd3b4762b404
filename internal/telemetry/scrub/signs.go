package scrub

import "strings"

// sign is what a text must show to be searched by a rule: most texts show nothing, and a pattern costs more than all the rest.
type sign uint8

const (
	signToken  sign = 1 << iota // something begins like a token
	signAt                      // an @, or an escaped one
	signPair                    // a = or a :
	signCard                    // as many digits as a card has, with no more than one sign between two
	signPhone                   // as many digits as a phone number has, in groups, or after a + or a (
	signScheme                  // ://
)

const (
	minPhone = 7  // digits of the shortest phone number that is looked for
	minCard  = 13 // digits of the shortest number of a card (ISO/IEC 7812)
	minSeed  = 56 // signs of the shortest seed of a NATS key
)

// signs looks at every byte once. A sign that is missing means that no rule which wants it finds anything; one that is there means
// only that it is worth a look.
func (s *Scrubber) signs(text string) sign {
	var found sign
	var n numbers
	seed := 0 // how many bytes up to here can be of a seed
	for i := range len(text) {
		c := text[i]
		n.next(text, i)
		if c >= 'A' && c <= 'Z' || c >= '2' && c <= '7' {
			if seed++; seed >= minSeed {
				found |= signToken
			}
		} else {
			seed = 0
		}
		switch {
		case c == '@', c == '%' && strings.HasPrefix(text[i:], "%40"):
			found |= signAt
		case c == '=':
			found |= signPair
		case c == ':':
			found |= signPair
			if strings.HasPrefix(text[i:], "://") {
				found |= signScheme
			}
		}
		if found&signToken == 0 && s.tokenAt(text[i:]) {
			found |= signToken
		}
	}
	return found | n.signs()
}

// tokenAt reports whether a text begins like a token, in any case.
func (s *Scrubber) tokenAt(text string) bool {
	for _, start := range s.starts[text[0]] {
		// The second byte tells most of them apart; |0x20 makes letters small, and what else it makes equal, EqualFold tells apart.
		if len(text) >= len(start) && text[1]|0x20 == start[1]|0x20 && strings.EqualFold(text[:len(start)], start) {
			return true
		}
	}
	return false
}

// numbers counts the digits of a text, byte by byte.
type numbers struct {
	digits int  // of the whole text
	run    int  // of the last run, in which no two have more than one sign between them
	card   bool // a run was long enough
	groups bool // there was a +, a (, or a sign between two digits
}

// next takes the byte at i.
func (n *numbers) next(text string, i int) {
	switch c := text[i]; c {
	case '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		n.digits++
		if n.run++; n.run >= minCard {
			n.card = true
		}
	case ' ', '.', '-', '/':
		between := i > 0 && i+1 < len(text) && isDigit(text[i-1]) && isDigit(text[i+1])
		n.groups = n.groups || between
		if !between || c == '/' {
			n.run = 0
		}
	case '+', '(':
		n.groups, n.run = true, 0
	default:
		n.run = 0
	}
}

func (n *numbers) signs() sign {
	var found sign
	if n.card {
		found |= signCard
	}
	if n.groups && n.digits >= minPhone {
		found |= signPhone
	}
	return found
}
