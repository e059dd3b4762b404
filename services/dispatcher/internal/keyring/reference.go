package keyring

import (
	"path"
	"slices"
	"strings"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Schemes of references.
const (
	schemeSecret = "secret"
	schemeEnv    = "env"
)

// variablePrefix starts the names of the environment variables that may be referred to.
const variablePrefix = "WEBHOOK_"

// AllowSetting is the name by which the operator knows the patterns of secrets that endpoints may refer to.
const AllowSetting = "WEBHOOK_SECRETS"

// IsReference reports whether text refers to a secret, allowed or not: whether it starts with "secret:" or "env:".
func IsReference(text string) bool {
	scheme, _ := split(text)
	return scheme == schemeSecret || scheme == schemeEnv
}

// SecretReference returns the reference to the secret of a name.
func SecretReference(name string) string { return schemeSecret + ":" + name }

// Remote reports whether what text refers to has to be asked for over the bus.
func Remote(text string) bool {
	scheme, _ := split(text)
	return scheme == schemeSecret
}

// split parts the scheme of a reference from its name.
func split(reference string) (scheme, name string) {
	scheme, name, ok := strings.Cut(reference, ":")
	if !ok {
		return "", ""
	}
	return scheme, name
}

// notAReference is the error about a text that stands where only a reference may. It may be the secret itself, so it is not
// quoted.
func notAReference() error {
	return events.Errorf(events.CodeInvalidArgument, "a key is named by a reference: secret:NAME or env:NAME; the key itself is never stored unsealed")
}

// rules say which references may be used.
type rules struct {
	allow   []string // patterns over names of secrets
	refused []string // environment variables that are not for endpoints
}

// newRules checks the patterns.
func newRules(allow, refused []string) (rules, error) {
	for _, pattern := range allow {
		literal := strings.ReplaceAll(pattern, "*", "x")
		if _, err := secret.ParseName(literal); err != nil {
			return rules{}, events.Errorf(events.CodeInvalidArgument, "%s: the pattern %q: %w", AllowSetting, shorten(pattern), err)
		}
	}
	return rules{slices.Clone(allow), slices.Clone(refused)}, nil
}

// check returns nil if a reference may be used, else an error of code invalid_argument or permission_denied.
func (r rules) check(reference string) error {
	scheme, name := split(reference)
	switch scheme {
	case schemeSecret:
		_, err := r.secretName(name)
		return err
	case schemeEnv:
		return r.checkVariable(name)
	default:
		return notAReference()
	}
}

// secretName reads the name of a secret that an endpoint may have. Whoever may make endpoints may send what they refer to
// wherever he likes, so that nothing is allowed but what the operator names.
func (r rules) secretName(text string) (secret.Name, error) {
	name, err := secret.ParseName(text)
	if err != nil {
		return secret.Name{}, events.Errorf(events.CodeInvalidArgument, "the reference secret:NAME: %w", err)
	}
	if !slices.ContainsFunc(r.allow, func(pattern string) bool { return matches(pattern, text) }) {
		return secret.Name{}, events.Errorf(events.CodePermissionDenied, "secret:%s may not be used by endpoints: %s", name, r.allowed())
	}
	return name, nil
}

// allowed says what may be used.
func (r rules) allowed() string {
	if len(r.allow) == 0 {
		return "no secret may, until its name or a pattern of it stands in " + AllowSetting
	}
	return AllowSetting + " allows " + strings.Join(r.allow, ", ")
}

// checkVariable checks the name of an environment variable.
func (r rules) checkVariable(name string) error {
	valid := len(name) <= secret.MaxName && strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == ""
	if !valid || !strings.HasPrefix(name, variablePrefix) || name == variablePrefix {
		return events.Errorf(events.CodePermissionDenied, "endpoints may refer only to environment variables that start with %s and are made of A-Z 0-9 _; env:NAME has another", variablePrefix)
	}
	if slices.Contains(r.refused, name) {
		return events.Errorf(events.CodePermissionDenied, "env:%s may not be used by endpoints: it is a setting of the dispatcher itself; choose another name that starts with %s", name, variablePrefix)
	}
	return nil
}

// matches reports whether a name fits a pattern, in which * stands for any number of characters. Names hold no slash and
// patterns nothing else that [path.Match] would read.
func matches(pattern, name string) bool {
	ok, err := path.Match(pattern, name)
	return err == nil && ok
}
