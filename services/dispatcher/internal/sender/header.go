package sender

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/neuron7x/mlsdm-integrations/pkg/webhook"
)

// masked stands for a value that is not shown.
const masked = "***"

// recorded checks the headers, and returns them as the record of the attempt may show them. An error names the header and
// not its value.
func recorded(header http.Header, hidden []string) (map[string]string, error) {
	sent := make(map[string]string, len(header))
	for name, values := range header {
		if err := checkHeader(name, values); err != nil {
			return nil, err
		}
		switch {
		case len(values) == 0 || isSignature(name):
		case isSecret(name, hidden):
			sent[name] = masked
		default:
			sent[name] = strings.ToValidUTF8(strings.Join(values, ", "), "\uFFFD")
		}
	}
	return sent, nil
}

// checkHeader refuses a header that would end early, or would change how the request is read.
func checkHeader(name string, values []string) error {
	if !isToken(name) {
		return fmt.Errorf("%.40q is not the name of a header", name)
	}
	switch http.CanonicalHeaderKey(name) {
	case "Host", "Content-Length", "Transfer-Encoding", "Connection", "Keep-Alive", "Proxy-Connection", "Te", "Trailer", "Upgrade", "Expect":
		return errors.New("the header " + name + " belongs to the connection and cannot be set")
	}
	for _, value := range values {
		for i := range len(value) {
			if c := value[i]; c < ' ' && c != '\t' || c == 0x7f {
				return errors.New("the value of the header " + name + " has a control character")
			}
		}
	}
	return nil
}

// isToken reports whether name is a token of RFC 9110, 5.6.2.
func isToken(name string) bool {
	for i := range len(name) {
		c := name[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-':
		case !strings.ContainsRune("!#$%&'*+.^_`|~", rune(c)):
			return false
		}
	}
	return name != ""
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
	for name, values := range r.Header {
		if !isSecret(name, r.Hidden) && !isSignature(name) {
			continue
		}
		for _, value := range values {
			mask(value)
			_, credentials, _ := strings.Cut(value, " ") // behind the scheme, as in "Bearer …"
			mask(credentials)
		}
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
