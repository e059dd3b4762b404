package limits

import (
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/neuron7x/mlsdm-integrations/internal/section"
)

// Bounds of a configuration.
const (
	maxRules   = 256
	maxPattern = 256 // bytes of a name or a pattern
	maxCount   = 1e12
	minCost    = 1e-6
	maxCost    = 1e9
	maxWait    = time.Minute
)

// Read reads the section limits of a file, a list of rules, or a mapping where there is more to say:
//
//	limits:
//	  when_unavailable: refuse
//	  wait: 250ms
//	  default_tokens: 1024
//	  rules:
//	    - {each: [caller], requests_per_minute: 60, tokens_per_minute: 100000, cost_per_day: 5}
//	    - {provider: openai, requests_per_minute: 500}
//	    - {caller: shop, model: fast, requests_per_minute: 10}
//	    - {name: all of it, cost_per_day: 100}
//
// What is not understood goes to r, with its line. The nil node is no limits.
func Read(r *section.Reader, n *yaml.Node) Config {
	cfg := Config{Wait: DefaultWait, DefaultTokens: DefaultTokens}
	rules := n
	if n != nil && n.Kind == yaml.MappingNode {
		rules = nil
		for key, value := range r.Pairs(n, "limits") {
			switch key.Value {
			case "rules":
				rules = value
			case "when_unavailable":
				if cfg.Allow = value.Value == "allow"; !cfg.Allow && value.Value != "refuse" {
					r.Complain(value, "when_unavailable is allow or refuse")
				}
			case "wait":
				cfg.Wait = r.Duration(value, "wait", time.Millisecond, maxWait)
			case "default_tokens":
				cfg.DefaultTokens = int(r.Whole(value, "default_tokens", 1, 1_000_000_000))
			default:
				r.Complain(key, "unknown key %q; there are rules, when_unavailable, wait and default_tokens", key.Value)
			}
		}
	}
	if rules != nil {
		cfg.Rules = readRules(r, rules)
	}
	return cfg
}

// readRules reads the list of rules.
func readRules(r *section.Reader, n *yaml.Node) []Rule {
	items := r.Items(n, "the list of limits")
	if len(items) > maxRules {
		r.Complain(n, "there are %d rules; at most %d are allowed", len(items), maxRules)
		return nil
	}
	rules := make([]Rule, 0, len(items))
	lines := make(map[string]int, len(items)) // of limits, by what their counts are kept under
	for _, item := range items {
		rule := readRule(r, item)
		for _, l := range rule.limits() {
			key := l.kind.what() + " " + l.id
			if first, twice := lines[key]; twice {
				r.Complain(item, "this rule counts %s under the same name, or of the same requests, as that of line %d; give it a name of its own, or make them one",
					l.kind.what(), first)
				break
			}
			lines[key] = item.Line
		}
		rules = append(rules, rule)
	}
	return rules
}

// readRule reads one rule.
func readRule(r *section.Reader, n *yaml.Node) Rule {
	rule := Rule{Caller: "*", Provider: "*", Model: "*"}
	if n.Kind != yaml.MappingNode {
		r.Complain(n, "a limit is a mapping, such as {each: [caller], requests_per_minute: 60}")
		return rule
	}
	text := func(n *yaml.Node, what string) string {
		s := r.Text(n, what)
		if len(s) > maxPattern {
			r.Complain(n, "%s has %d bytes; at most %d are allowed", what, len(s), maxPattern)
		}
		return s
	}
	for key, value := range r.Pairs(n, "a limit") {
		switch key.Value {
		case "name":
			rule.Name = text(value, "name")
		case "caller":
			rule.Caller = text(value, "caller")
		case "provider":
			rule.Provider = text(value, "provider")
		case "model":
			rule.Model = text(value, "model")
		case "each":
			readEach(r, value, &rule)
		case "requests_per_minute":
			rule.RequestsPerMinute = r.Whole(value, key.Value, 1, maxCount)
		case "tokens_per_minute":
			rule.TokensPerMinute = r.Whole(value, key.Value, 1, maxCount)
		case "cost_per_day":
			rule.CostPerDay = r.Number(value, key.Value, minCost, maxCost)
		default:
			r.Complain(key, "unknown key %q; there are name, caller, provider, model, each, requests_per_minute, tokens_per_minute and cost_per_day", key.Value)
		}
	}
	if len(rule.limits()) == 0 {
		r.Complain(n, "this rule limits nothing; give it requests_per_minute, tokens_per_minute or cost_per_day")
	}
	return rule
}

// readEach reads what is counted separately.
func readEach(r *section.Reader, n *yaml.Node, rule *Rule) {
	for _, item := range r.Items(n, "each") {
		var each *bool
		switch item.Value {
		case "caller":
			each = &rule.EachCaller
		case "provider":
			each = &rule.EachProvider
		case "model":
			each = &rule.EachModel
		default:
			r.Complain(item, "each is a list of caller, provider and model, as in [caller, model]")
			continue
		}
		if *each {
			r.Complain(item, "each has %s twice", item.Value)
		}
		*each = true
	}
}
