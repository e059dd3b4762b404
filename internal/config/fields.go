package config

import (
	"fmt"
	"reflect"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
)

// Field describes one setting, for documentation.
type Field struct {
	Name        string   // of the flag, without dashes, and of the key in the file
	Env         []string // the environment variables; the first that is set to something counts
	Default     string   // as it would be written on the command line; empty is none
	Help        string   // one sentence
	Group       string   // a title that several settings share; may be empty
	Enum        []string // what is allowed; empty is anything
	Placeholder string   // what stands for the value in --help
	Type        string   // of Go, for example time.Duration
	Secret      bool     // the value is never printed
	Required    bool     // there is no run without it
}

// Fields describes the settings of cfg, a pointer to a tagged struct, in the order of their declaration.
func Fields(cfg any) ([]Field, error) {
	p, err := newParser(cfg, Options{})
	if err != nil {
		return nil, fmt.Errorf("config fields of %T: %w", cfg, err)
	}
	var fields []Field
	for _, f := range p.kong.Model.Flags {
		if p.flags[f.Name] == nil {
			continue
		}
		field := Field{
			Name: f.Name, Env: p.envs[f.Name], Default: f.Default, Help: f.Help, Placeholder: f.FormatPlaceHolder(),
			Type: f.Target.Type().String(), Secret: isSecret(f.Target.Type()), Required: f.Required,
		}
		if f.Group != nil {
			field.Group = f.Group.Title
		}
		if f.Enum != "" {
			field.Enum = f.EnumSlice()
		}
		fields = append(fields, field)
	}
	return fields, nil
}

// isSecret reports whether a setting of type t holds a secret.
func isSecret(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Slice, reflect.Array, reflect.Pointer, reflect.Map:
		return isSecret(t.Elem())
	default:
		return t == reflect.TypeFor[secret.Value]()
	}
}
