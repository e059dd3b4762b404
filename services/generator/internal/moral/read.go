package moral

import (
	"go.yaml.in/yaml/v3"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/internal/section"
)

// openAI is where moderations are asked for when nothing else is said, and the model that is then asked.
const (
	openAIBaseURL = "https://api.openai.com/v1"
	openAIModel   = "omni-moderation-latest"
)

// Provider is a provider of the configuration, whose moderation endpoint may be asked.
type Provider struct {
	BaseURL string
	Key     secret.Value
}

// Read reads the section moral_filter, or a part of it:
//
//	moral_filter:
//	  enabled: auto            # auto, on, off
//	  initial: 0.5
//	  min: 0.3
//	  max: 0.9
//	  target: 0.5
//	  band: 0.05
//	  step: 0.05
//	  alpha: 0.1
//	  scorer: request          # none, request, or one of
//	    # moderation: {provider: openai, model: omni-moderation-latest, timeout: 2s}
//	    # moderation: {base_url: https://api.openai.com/v1, key: secret:openai_api_key}
//	    # http: {url: https://scorer.example/score, key: secret:scorer_key, headers: {X-Team: a}, timeout: 2s}
//	  trust_request: true
//	  output: off              # on needs a scorer that is asked
//	  window: 400
//	  overlap: 100
//	  on_scorer_error: reject  # or accept
//	  max_text: 1048576
//	  include_text: false
//
// n may be nil. providers finds a provider by its name; it may be nil. What is not understood goes to r, with its line. Keys are
// references, to which somebody else gives their content (see [secret.Value.Reference]).
func Read(r *section.Reader, n *yaml.Node, providers func(name string) (Provider, bool)) Config {
	b := &reader{Reader: r, config: Default(), providers: providers}
	if n == nil {
		return b.config
	}
	known := r.Err()
	for key, value := range r.Pairs(n, "moral_filter") {
		b.field(key, value)
	}
	if r.Err() != nil && known == nil { // the numbers stand for others
		return b.config
	}
	if err := b.config.Validate(); err != nil {
		r.Complain(n, "moral_filter: %w", err)
	}
	return b.config
}

// reader reads the section.
type reader struct {
	*section.Reader

	config    Config
	providers func(string) (Provider, bool)
}

func (b *reader) field(key, n *yaml.Node) {
	c := &b.config
	switch key.Value {
	case "enabled":
		c.Enabled = Mode(b.oneOf(n, key.Value, string(Auto), string(On), string(Off)))
	case "initial":
		c.Initial = b.Number(n, key.Value, 0, 1)
	case "min":
		c.Min = b.Number(n, key.Value, 0, 1)
	case "max":
		c.Max = b.Number(n, key.Value, 0, 1)
	case "target":
		c.Target = b.Number(n, key.Value, 0, 1)
	case "band":
		c.Band = b.Number(n, key.Value, 0, 1)
	case "step":
		c.Step = b.Number(n, key.Value, 0, 1)
	case "alpha":
		c.Alpha = b.Number(n, key.Value, 0, 1)
	case "scorer":
		b.scorer(n)
	case "trust_request":
		c.TrustRequest = b.flag(n, key.Value)
	case "output":
		c.Output = b.flag(n, key.Value)
	case "window":
		c.Window = int(b.Whole(n, key.Value, minWindow, maxWindow))
	case "overlap":
		c.Overlap = int(b.Whole(n, key.Value, 0, maxWindow))
	case "on_scorer_error":
		c.OnScorerError = Action(b.oneOf(n, key.Value, string(Reject), string(Accept)))
	case "max_text":
		c.MaxText = int(b.Whole(n, key.Value, minMaxText, maxMaxText))
	case "include_text":
		c.IncludeText = b.flag(n, key.Value)
	default:
		b.Complain(key, "unknown key %q; there are enabled, initial, min, max, target, band, step, alpha, scorer, trust_request, output, window, overlap, on_scorer_error, max_text and include_text", key.Value)
	}
}

// oneOf reads one of several words.
func (b *reader) oneOf(n *yaml.Node, what string, words ...string) string {
	if n.Kind == yaml.ScalarNode {
		for _, word := range words {
			if n.Value == word {
				return word
			}
		}
	}
	b.Complain(n, "%s is one of %v", what, words)
	return words[0]
}

// flag reads on or off.
func (b *reader) flag(n *yaml.Node, what string) bool {
	switch b.oneOf(n, what, "on", "off", "true", "false") {
	case "on", "true":
		return true
	default:
		return false
	}
}

// scorer reads who scores.
func (b *reader) scorer(n *yaml.Node) {
	s := &b.config.Scorer
	if n.Kind != yaml.MappingNode {
		s.Kind = Kind(b.oneOf(n, "scorer, if it is not {moderation: …} or {http: …},", string(NoScorer), string(Request)))
		return
	}
	if len(n.Content) != 2 {
		b.Complain(n, "scorer has one of moderation and http")
		return
	}
	for key, value := range b.Pairs(n, "scorer") {
		switch key.Value {
		case string(Moderation):
			b.moderation(value)
		case string(HTTP):
			b.http(key, value)
		default:
			b.Complain(key, "unknown scorer %q; there are none, request, moderation and http", key.Value)
		}
	}
}

func (b *reader) moderation(n *yaml.Node) {
	s := &b.config.Scorer
	s.Kind = Moderation
	var named, addressed *yaml.Node
	for key, value := range b.Pairs(n, string(Moderation)) {
		switch key.Value {
		case "provider":
			named = value
		case "base_url":
			addressed, s.URL = value, b.Text(value, "base_url")
		case "key":
			s.Key = b.key(value)
		case "model":
			s.Model = b.Text(value, "model")
		case "timeout":
			s.Timeout = b.Duration(value, "timeout", minTimeout, maxTimeout)
		default:
			b.Complain(key, "unknown key %q; there are provider, base_url, key, model and timeout", key.Value)
		}
	}
	switch {
	case named != nil && addressed != nil: // a key of one must not go to the other
		b.Complain(named, "provider and base_url exclude each other")
		return
	case named != nil:
		b.provider(named)
	case addressed == nil:
		s.URL = openAIBaseURL
	}
	if s.URL == openAIBaseURL && s.Model == "" {
		s.Model = openAIModel
	}
	b.check(n)
}

// provider takes the address of a provider, and its key unless one is said.
func (b *reader) provider(n *yaml.Node) {
	name := b.Text(n, "provider")
	if name == "" {
		return
	}
	found := false
	var p Provider
	if b.providers != nil {
		p, found = b.providers(name)
	}
	if !found || p.BaseURL == "" {
		b.Complain(n, "there is no provider %q with a base URL", name)
		return
	}
	s := &b.config.Scorer
	s.URL = p.BaseURL
	if s.Key.IsZero() {
		s.Key = p.Key
	}
}

func (b *reader) http(at, n *yaml.Node) {
	s := &b.config.Scorer
	s.Kind = HTTP
	for key, value := range b.Pairs(n, string(HTTP)) {
		switch key.Value {
		case "url":
			s.URL = b.Text(value, "url")
		case "key":
			s.Key = b.key(value)
		case "headers":
			s.Header = make(map[string]string)
			for name, text := range b.Pairs(value, "headers") {
				s.Header[name.Value] = b.Text(text, "the header "+name.Value)
			}
		case "timeout":
			s.Timeout = b.Duration(value, "timeout", minTimeout, maxTimeout)
		default:
			b.Complain(key, "unknown key %q; there are url, key, headers and timeout", key.Value)
		}
	}
	if s.URL == "" {
		b.Complain(at, "http has no url")
		return
	}
	b.check(n)
}

// check checks an address.
func (b *reader) check(n *yaml.Node) {
	if b.config.Scorer.URL == "" {
		return // that has been said
	}
	if _, _, err := endpoint(&b.config.Scorer); err != nil {
		b.Complain(n, "%w", err)
	}
}

// key reads a reference. What is none is not quoted: it may be a key.
func (b *reader) key(n *yaml.Node) secret.Value {
	text := b.Text(n, "key")
	if text == "" {
		return secret.Value{}
	}
	if !secret.IsReference(text) {
		b.Complain(n, "key is a reference, such as secret:openai_api_key or env:OPENAI_API_KEY; the key itself does not belong here")
		return secret.Value{}
	}
	ref, err := secret.NewReference(text)
	if err != nil {
		b.Complain(n, "%w", err)
		return secret.Value{}
	}
	return secret.Live(ref)
}
