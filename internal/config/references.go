package config

import (
	"errors"
	"fmt"
	"reflect"

	"github.com/alecthomas/kong"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/internal/secret/local"
)

// refsTag says which references a setting of type [secret.Value] may hold in the place of a secret, and what becomes of them.
// Without it: all, and the value follows what they refer to.
const refsTag = "refs"

const (
	// refsLocal: env: and file: only, since it is needed before there is anybody to ask.
	refsLocal = "local"
	// refsFixed: all, but the service reads the value when it starts, and not again.
	refsFixed = "fixed"
	// refsNone: none. What looks like one is the secret itself.
	refsNone = "none"
)

// errRemote is the error of a reference that somebody would have to be asked about.
var errRemote = errors.New("only env:VARIABLE and file:/path can be referred to here, since this is needed before anybody can be asked for a secret")

// Reference is a setting that refers to a secret.
type Reference struct {
	// Setting is the name of its flag.
	Setting string
	// Secret is where its value gets its content from.
	Secret *secret.Reference
	// Fixed says that a new content takes effect with the next start only.
	Fixed bool
}

// Referrer is a configuration that refers to secrets in other places than its settings: in a file of its own.
type Referrer interface {
	// References reads these places and returns what they refer to. What is done with the configuration later sees the contents that
	// are bound to it.
	References() ([]Reference, error)
}

// References returns the settings of cfg, a pointer to a struct that [Load] has filled, that refer to secrets which whoever runs the
// service has to see to: all but variables, which do not change, and but what is needed before there is a bus.
func References(cfg any) ([]Reference, error) {
	p, err := newParser(cfg, Options{})
	if err != nil {
		return nil, fmt.Errorf("references of %T: %w", cfg, err)
	}
	var found []Reference
	for flag, value := range p.secrets() {
		if ref := value.Reference(); ref != nil && flag.Tag.Get(refsTag) != refsLocal {
			found = append(found, Reference{Setting: flag.Name, Secret: ref, Fixed: flag.Tag.Get(refsTag) == refsFixed})
		}
	}
	return found, nil
}

// secrets yields every value of the settings that hold secrets.
func (p *parser) secrets() func(yield func(*kong.Flag, *secret.Value) bool) {
	return func(yield func(*kong.Flag, *secret.Value) bool) {
		for _, flag := range p.kong.Model.Flags {
			if p.flags[flag.Name] == nil || flag.Tag.Get(refsTag) == refsNone {
				continue
			}
			for _, value := range valuesOf(flag.Target) {
				if !yield(flag, value) {
					return
				}
			}
		}
	}
}

// valuesOf returns the secrets that a setting holds: it is one, or a list.
func valuesOf(target reflect.Value) []*secret.Value {
	if !target.CanAddr() {
		return nil
	}
	switch held := target.Addr().Interface().(type) {
	case *secret.Value:
		return []*secret.Value{held}
	case *[]secret.Value:
		values := make([]*secret.Value, len(*held))
		for i := range *held {
			values[i] = &(*held)[i]
		}
		return values
	default:
		return nil
	}
}

// refer makes references of the secrets that are written as such. What is wrong with one is said without quoting it.
func (p *parser) refer() error {
	var errs []error
	for flag, value := range p.secrets() {
		if !secret.IsReference(value.Reveal()) {
			continue
		}
		ref, err := secret.NewReference(value.Reveal())
		if err == nil && !ref.IsLocal() && p.isLocal(flag) {
			err = errRemote
		}
		if err != nil {
			errs = append(errs, p.at(flag, err))
			continue
		}
		*value = secret.Live(ref)
	}
	return errors.Join(errs...)
}

// isLocal reports whether a setting may refer to variables and files only.
func (p *parser) isLocal(flag *kong.Flag) bool {
	return p.o.LocalRefs || flag.Tag.Get(refsTag) == refsLocal
}

// resolve gives the references their contents that can be had without anybody: variables, which do not change, and the files that
// have to be there at once.
func (p *parser) resolve() error {
	var errs []error
	for flag, value := range p.secrets() {
		ref := value.Reference()
		switch {
		case ref == nil:
		case ref.Store() == secret.StoreEnv:
			text, _ := p.o.Lookup(ref.Name())
			if text == "" {
				errs = append(errs, p.at(flag, fmt.Errorf("%s is not set", ref)))
			}
			*value = secret.NewValue(text)
		case ref.Store() == secret.StoreFile && p.isLocal(flag):
			file := local.NewFile(ref.Name())
			if err := file.Err(); err != nil {
				errs = append(errs, p.at(flag, err))
			}
			ref.Bind(file)
		}
	}
	return errors.Join(errs...)
}

// at says which setting an error is about, and where its value came from.
func (p *parser) at(flag *kong.Flag, err error) error {
	if origin, ok := p.origins[flag.Name]; ok && origin != "flag" {
		return fmt.Errorf("%s: %w (set by %s)", flag.Name, err, origin)
	}
	return fmt.Errorf("%s: %w", flag.Name, err)
}
