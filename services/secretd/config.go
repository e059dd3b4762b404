package secretd

import (
	"errors"
	"fmt"
	"slices"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Config is what an operator sets. Without a list of names nothing is given out.
type Config struct {
	Allow   []string `name:"secretd-allow" env:"SECRETD_ALLOW" placeholder:"NAME" help:"Names of the secrets that may be asked for, such as openai_api_key (which the environment holds as OPENAI_API_KEY). Without it none."`
	Callers []string `name:"secretd-callers" env:"SECRETD_CALLERS" default:"ciwatch,embedder,generator,dispatcher" placeholder:"CALLER" help:"Who may ask for them; * is every named caller. That a caller is who it says, NATS permissions have to see to."`
}

// anyCaller allows every caller that has a name.
const anyCaller = "*"

// Validate returns an error that names every setting that is wrong.
func (c Config) Validate() error {
	var errs []error
	for _, text := range c.Allow {
		if _, err := secret.ParseName(text); err != nil {
			errs = append(errs, fmt.Errorf("secretd-allow: %q is %w", text, err))
		}
	}
	for _, caller := range c.Callers {
		switch caller {
		case anyCaller:
		case events.DefaultCaller:
			errs = append(errs, fmt.Errorf("secretd-callers: %s is who has no name, and gets no secrets", events.DefaultCaller))
		default:
			if err := events.CheckToken("secretd-callers: "+caller, caller); err != nil {
				errs = append(errs, err)
			}
		}
	}
	return errors.Join(errs...)
}

// allows reports whether a caller may have a secret.
func (c Config) allows(caller string, name secret.Name) bool {
	known := slices.Contains(c.Callers, caller) || slices.Contains(c.Callers, anyCaller) && caller != events.DefaultCaller
	return known && slices.Contains(c.Allow, name.String())
}
