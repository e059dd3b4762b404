package limits

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/section"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// kind is what a limit counts.
type kind int

const (
	requests kind = iota // in a minute
	tokens               // in a minute
	cost                 // on a day, in billionths of the currency
)

// billion is how many units of a count of cost one unit of the currency has.
const billion = 1e9

// what is the kind's name in the configuration.
func (k kind) what() string {
	return [...]string{"requests_per_minute", "tokens_per_minute", "cost_per_day"}[k]
}

// window is how long its windows are. They begin with the minutes and days of UTC.
func (k kind) window() time.Duration {
	if k == cost {
		return 24 * time.Hour
	}
	return time.Minute
}

// unit is how many units of a count are one of the limit.
func (k kind) unit() float64 {
	if k == cost {
		return billion
	}
	return 1
}

// limit is one limit of one rule.
type limit struct {
	rule *Rule
	kind kind
	max  int64  // units of the count
	id   string // what the counts are kept under
}

// limits returns the limits of a rule.
func (r *Rule) limits() []*limit {
	var all []*limit
	add := func(k kind, most int64) {
		if most > 0 {
			all = append(all, &limit{rule: r, kind: k, max: most, id: r.id()})
		}
	}
	add(requests, r.RequestsPerMinute)
	add(tokens, r.TokensPerMinute)
	add(cost, int64(math.Round(r.CostPerDay*billion)))
	return all
}

// id is what identifies a rule in subjects.
func (r *Rule) id() string {
	if r.Name != "" {
		return digest("name", r.Name)
	}
	return digest("rule", r.Caller, r.Provider, r.Model, fmt.Sprint(r.EachCaller, r.EachProvider, r.EachModel))
}

// digest makes a token of a subject from texts that may hold anything.
func digest(texts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(texts, "\x00")))
	return hex.EncodeToString(sum[:8])
}

// matches reports whether the rule holds for a request.
func (r *Rule) matches(s Scope) bool {
	return section.Match(r.Caller, s.Caller) && section.Match(r.Provider, s.Provider) &&
		(section.Match(r.Model, s.Model) || s.Alias != "" && section.Match(r.Model, s.Alias))
}

// scope returns the part of a scope that is counted for itself.
func (r *Rule) scope(s Scope) Scope {
	var part Scope
	if r.EachCaller {
		part.Caller = s.Caller
	}
	if r.EachProvider {
		part.Provider = s.Provider
	}
	if r.EachModel {
		part.Model = s.Model
	}
	return part
}

// subject is the counter of a window, which begins at a time in Unix seconds.
func (l *limit) subject(s events.Subjects, scope Scope, window int64) string {
	name, at := digest(scope.Caller, scope.Provider, scope.Model), strconv.FormatInt(window, 10)
	switch l.kind {
	case requests:
		return s.Limit("requests", l.id, name, at)
	case tokens:
		return s.Limit("tokens", l.id, name, at)
	case cost:
	}
	return s.Budget(l.id, name, at)
}

// about says to the caller of a scope which limit it is. It names nobody else.
func (l *limit) about(scope Scope) string {
	var w strings.Builder
	switch l.kind {
	case requests:
		fmt.Fprintf(&w, "the limit of %d requests a minute", l.max)
	case tokens:
		fmt.Fprintf(&w, "the limit of %d tokens a minute", l.max)
	case cost:
		fmt.Fprintf(&w, "the budget of %s a day", strconv.FormatFloat(l.rule.CostPerDay, 'f', -1, 64))
	}
	for _, part := range []struct{ word, each, pattern string }{
		{"caller", scope.Caller, l.rule.Caller}, {"provider", scope.Provider, l.rule.Provider}, {"model", scope.Model, l.rule.Model},
	} {
		switch {
		case part.each != "":
			w.WriteString(" for " + part.word + " " + part.each)
		case part.pattern == "*":
		case part.word == "caller" && strings.Contains(part.pattern, "*"):
			w.WriteString(" for several callers")
		default:
			w.WriteString(" for " + part.word + " " + part.pattern)
		}
	}
	return w.String()
}
