package bus

import (
	"strings"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Templates of subjects that are not below the prefix, and of those that nobody knows.
const (
	templateInbox = "_INBOX"
	templateMicro = "$SRV"
	templateOther = "other"
)

// templates knows the subjects of an installation with their ids taken out, for the names of spans, whose number must stay small:
// what is not in the catalogue is of a template that says as much.
type templates struct {
	prefix string                  // with its dot
	plain  map[string]*destination // by subject below the prefix
	as     map[string]*destination // by subject below the prefix, "as" and the caller
	others map[string]*destination // outside of the prefix
}

// families are the templates, below the prefix, that have places for ids.
func families() []string {
	return []string{
		"attempts.{endpoint}", "budgets.cost.{rule}.{scope}.{window}", "cache.clear.{service}.{namespace}", "cache.deleted.{service}",
		"cancel.{request}", "chunks.{caller}.{request}", "control.{service}.{verb}", "deadletters.deliveries.{fault}.{endpoint}",
		"deadletters.requests.{kind}", "deliveries.again.{endpoint}", "deliveries.later.{delivery}", "deliveries.ready.{endpoint}",
		"events.custom.{type}", "events.{type}", "limits.{kind}.{rule}.{scope}.{window}", "parts.{caller}.{request}.{number}",
		"requests.{kind}", "results.{caller}.{request}", "sightings.{shard}", "streams.{replica}.{stream}", "{other}",
	}
}

// newTemplates makes the templates of an installation.
func newTemplates(s events.Subjects) *templates {
	t := &templates{
		prefix: s.Prefix() + ".", plain: make(map[string]*destination), as: make(map[string]*destination), others: make(map[string]*destination),
	}
	add := func(relative string) {
		t.plain[relative] = newDestination(s.Below(relative))
		t.as[relative] = newDestination(s.Below("as.{caller}." + relative))
	}
	for _, relative := range families() {
		add(relative)
	}
	for _, op := range events.Operations() {
		add(op.Name)
	}
	for _, kind := range events.RequestKinds() {
		add("requests." + kind)
		add("deadletters.requests." + kind)
	}
	for _, event := range events.Types() {
		add("events." + event.Name)
	}
	for _, relative := range []string{"audit.secrets", "deadletters.events", "trace.hops"} {
		add(relative)
	}
	for _, name := range []string{templateInbox, templateMicro, templateOther} {
		t.others[name] = newDestination(name)
	}
	return t
}

// of finds what a subject is an instance of. It asks for no memory: it is called for every message.
func (t *templates) of(subject string) *destination {
	rest, ours := strings.CutPrefix(subject, t.prefix)
	if !ours {
		switch {
		case strings.HasPrefix(subject, "_INBOX"):
			return t.others[templateInbox]
		case strings.HasPrefix(subject, "$SRV."):
			return t.others[templateMicro]
		}
		return t.others[templateOther]
	}
	among := t.plain
	if called, ok := strings.CutPrefix(rest, "as."); ok {
		if _, below, found := strings.Cut(called, "."); found {
			among, rest = t.as, below
		}
	}
	if d, known := among[rest]; known && strings.IndexByte(rest, '{') < 0 {
		return d
	}
	if d, known := among[family(rest)]; known {
		return d
	}
	return among["{other}"]
}

// family returns the template, below the prefix, of a subject that is not itself one of the catalogue.
func family(rest string) string {
	first, below, _ := strings.Cut(rest, ".")
	second, _, _ := strings.Cut(below, ".")
	switch first {
	case "attempts":
		return "attempts.{endpoint}"
	case "budgets":
		return "budgets.cost.{rule}.{scope}.{window}"
	case "cache":
		if second == "clear" {
			return "cache.clear.{service}.{namespace}"
		}
		return "cache.deleted.{service}"
	case "cancel":
		return "cancel.{request}"
	case "chunks":
		return "chunks.{caller}.{request}"
	case "control":
		return "control.{service}.{verb}"
	case "deadletters":
		if second == "deliveries" {
			return "deadletters.deliveries.{fault}.{endpoint}"
		}
		return "deadletters.requests.{kind}"
	case "deliveries":
		switch second {
		case "again":
			return "deliveries.again.{endpoint}"
		case "later":
			return "deliveries.later.{delivery}"
		}
		return "deliveries.ready.{endpoint}"
	case "events":
		if second == "custom" {
			return "events.custom.{type}"
		}
		return "events.{type}"
	case "limits":
		return "limits.{kind}.{rule}.{scope}.{window}"
	case "parts":
		return "parts.{caller}.{request}.{number}"
	case "requests":
		return "requests.{kind}"
	case "results":
		return "results.{caller}.{request}"
	case "sightings":
		return "sightings.{shard}"
	case "streams":
		return "streams.{replica}.{stream}"
	default:
		return ""
	}
}
