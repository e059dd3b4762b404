package bus

import "strings"

// template returns a subject with its ids taken out, for span names and metrics, whose number must stay small.
func (b *Bus) template(subject string) string {
	rest, ok := strings.CutPrefix(subject, b.subjects.Prefix()+".")
	if !ok {
		if strings.HasPrefix(subject, "_INBOX") {
			return "_INBOX"
		}
		return "other"
	}
	tokens := strings.Split(rest, ".")
	if tokens[0] == "as" && len(tokens) > 2 {
		tokens[1] = "{caller}"
	}
	switch tokens[0] {
	case "results":
		return b.subjects.Below("results.{caller}.{request}")
	case "events":
		if len(tokens) > 2 && tokens[1] == "custom" {
			return b.subjects.Below("events.custom.{type}")
		}
	case "deliveries":
		if len(tokens) > 2 {
			return b.subjects.Below(tokens[0] + "." + tokens[1] + ".{id}")
		}
	case "attempts":
		return b.subjects.Below("attempts.{endpoint}")
	case "deadletters":
		if len(tokens) > 2 && tokens[1] == "deliveries" {
			return b.subjects.Below("deadletters.deliveries.{endpoint}")
		}
	}
	return b.subjects.Below(strings.Join(tokens, "."))
}
