package stack

import (
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// signer is the key with which secretd signs what it gives out, and its public half, by which the others know it. No
// service but secretd may look into the bucket where it publishes that.
type signer struct {
	seed   secret.Value
	public string
}

// lookup adds the keys of secretd to the environment of a service, unless the operator has set them.
func (s signer) lookup(service, dir string, environment func(string) (string, bool)) (func(string) (string, bool), error) {
	if environment == nil {
		environment = func(string) (string, bool) { return "", false }
	}
	added := map[string]secret.Value{}
	if !set(environment, "SECRETD_SIGNING_KEY", "SECRETD_SIGNING_KEY_FILE", "MLSDM_SECRETD_KEY") {
		added["MLSDM_SECRETD_KEY"] = secret.NewValue(s.public)
		if service == events.ServiceSecretd {
			added["SECRETD_SIGNING_KEY"] = s.seed
		}
	}
	if service == events.ServiceSecretd && !set(environment, "SECRETD_AUDIT_KEY", "SECRETD_AUDIT_KEY_FILE") {
		key, err := keptKey(dir, auditKeyFile)
		if err != nil {
			return nil, err
		}
		added["SECRETD_AUDIT_KEY"] = secret.NewValue(key)
	}
	return func(name string) (string, bool) {
		if value, found := added[name]; found {
			return value.Reveal(), true
		}
		return environment(name)
	}, nil
}

// set reports whether one of the variables has a value.
func set(environment func(string) (string, bool), names ...string) bool {
	for _, name := range names {
		if value, found := environment(name); found && value != "" {
			return true
		}
	}
	return false
}
