package sender

import (
	"slices"
	"strings"

	"github.com/neuron7x/mlsdm-integrations/internal/egress"
	"github.com/neuron7x/mlsdm-integrations/pkg/webhook"
)

// masked stands for a value that is not shown.
const masked = "***"

// recorded returns the headers as the record of the attempt may show them. One that is there twice is shown once.
func recorded(header []egress.Field, hidden []string) []egress.Field {
	sent := make([]egress.Field, 0, len(header))
	for _, f := range header {
		if isSignature(f.Name) {
			continue
		}
		if isSecret(f.Name, hidden) {
			f.Value = masked
		} else {
			f.Value = strings.ToValidUTF8(f.Value, "\uFFFD")
		}
		if i := slices.IndexFunc(sent, func(other egress.Field) bool { return same(other.Name, f.Name) }); i < 0 {
			sent = append(sent, f)
		} else if f.Value != masked {
			sent[i].Value += ", " + f.Value
		}
	}
	return sent
}

func isSignature(name string) bool {
	return same(name, webhook.HeaderSignature) || same(name, webhook.HeaderBodySignature)
}

// isSecret reports whether the value of the header is not to be shown: because the endpoint says so, or because such a
// header holds nothing else.
func isSecret(name string, hidden []string) bool {
	for _, other := range hidden {
		if same(name, other) {
			return true
		}
	}
	return same(name, "Authorization") || same(name, "Proxy-Authorization") || same(name, "Cookie")
}

func same(a, b string) bool { return len(a) == len(b) && strings.EqualFold(a, b) }

// minEcho is the length from which a secret is looked for in an answer: masking shorter ones would mask half of the words.
const minEcho = 8

// withoutSecrets masks what a receiver sends back of our secrets and signatures: "cannot POST /services/…" is how many answer
// that do not know the path, and some show the headers of what they refuse.
func (r *Request) withoutSecrets(answer string) string {
	if len(answer) < minEcho {
		return answer
	}
	mask := func(secret string) {
		if len(secret) >= minEcho {
			answer = strings.ReplaceAll(answer, secret, masked)
		}
	}
	for _, f := range r.Header {
		if !isSecret(f.Name, r.Hidden) && !isSignature(f.Name) {
			continue
		}
		mask(f.Value)
		_, credentials, _ := strings.Cut(f.Value, " ") // behind the scheme, as in "Bearer …"
		mask(credentials)
	}
	mask(r.URL.RawQuery)
	for part := range strings.SplitSeq(r.URL.RawQuery, "&") {
		_, value, _ := strings.Cut(part, "=")
		mask(value)
	}
	if r.HideURL {
		mask(r.URL.EscapedPath())
		mask(r.URL.Path)
	}
	return answer
}
