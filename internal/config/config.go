// Package config fills one tagged struct from flags, environment, a YAML file and defaults, in that order of precedence.
//
// A field of the struct is declared once, for the command line, the environment, the file and the documentation alike:
//
//	Workers int `name:"workers" env:"MLSDM_WORKERS" default:"8" placeholder:"N" help:"Messages handled at once."`
//
// The tags are those of kong; embedded structs (anonymous, or tagged embed:"" with a prefix) are part of their parent.
// A variable that is set to nothing counts as not set. A field with the tag action:"" is a flag of the command line
// only, such as --version. Structs that have a method Validate() error are validated, embedded ones first.
//
// The file is one for all services: its keys are names of flags, and a section named after a service holds what is
// meant for that service alone. Nested keys are joined with "-", so these two say the same:
//
//	nats-url: nats://bus:4222      nats: {url: nats://bus:4222}
//
// In the place of a secret, a reference to one may stand: env:VARIABLE, file:/path, or one that secretd is asked for, such as
// secret:NAME or vault:mlsdm/openai#api_key (see [References]). The tag refs:"local" allows the first two only; refs:"fixed" says
// that the service reads the value once; with refs:"none" nothing is a reference.
//
// What is wrong is an [Error] of one line (one for each wrong key of the file) which says where it stands and what
// would be right. The content of a [secret.Value] is in no message and in no output; a reference is no secret.
package config

import (
	"errors"
	"fmt"
	"io"
)

// FileEnv is the environment variable that names the configuration file.
const FileEnv = "MLSDM_CONFIG"

// Options says who asks for a configuration and where it comes from.
type Options struct {
	Name      string                           // the program in --help; required
	Section   string                           // the section of the file; Name if empty
	Summary   string                           // one line for --help
	Version   string                           // the answer to --version
	Examples  []string                         // command lines for --help
	Args      []string                         // the command line without the program's name
	Lookup    func(name string) (string, bool) // the environment, os.LookupEnv in production; nil is an empty environment
	File      string                           // the file, unless --config names another; if empty, FileEnv names it
	Defaults  map[string]string                // by name of the flag: defaults that take the place of the struct's own
	Known     Known                            // the keys of the other services that may stand in the file
	LocalRefs bool                             // secrets may refer to variables and files only: nobody can be asked for them
	FileRead  *string                          // if not nil, set to the path of the file that is read, or to nothing
	Out       io.Writer                        // where --help, --version, --print-config and --check-config answer; nil discards
}

// Error is a configuration that cannot be used. Its text is for the person who wrote it.
type Error struct {
	err  error
	code int
}

func (e *Error) Error() string { return e.err.Error() }
func (e *Error) Unwrap() error { return e.err }

// ExitCode is the status a process ends with: 2 for wrong usage, 1 as the answer to --check-config.
func (e *Error) ExitCode() int { return e.code }

const (
	exitInvalid = 1
	exitUsage   = 2
)

// Load fills cfg, a pointer to a tagged struct; whatever it held before is lost. It returns done = true if the command
// line asked for an answer in place of a run (--help, --version, --print-config, --check-config) and the answer was
// given on o.Out. An error is an [*Error], unless the struct itself is not usable.
func Load(cfg any, o Options) (done bool, err error) {
	if o.Out == nil {
		o.Out = io.Discard
	}
	if o.Lookup == nil {
		o.Lookup = func(string) (string, bool) { return "", false }
	}
	if o.Section == "" {
		o.Section = o.Name
	}
	p, err := newParser(cfg, o)
	if err != nil {
		return false, fmt.Errorf("config of %s: %w", o.Name, err)
	}
	switch err := p.parse(o.Args); {
	case errors.Is(err, errAnswered):
		return true, nil
	case err != nil:
		return false, p.fail(err)
	}
	if err := p.refer(); err != nil {
		return false, p.fail(err)
	}
	if p.builtin.PrintConfig {
		if err := p.print(o.Out); err != nil {
			return false, fmt.Errorf("print the configuration: %w", err)
		}
	}
	if !p.builtin.PrintConfig && !p.builtin.CheckConfig {
		if err := p.resolve(); err != nil {
			return false, p.fail(err)
		}
	}
	if err := validate(cfg); err != nil {
		return false, p.fail(err)
	}
	if p.builtin.CheckConfig {
		if _, err := fmt.Fprintf(o.Out, "%s: the configuration is valid\n", o.Name); err != nil {
			return false, fmt.Errorf("answer --check-config: %w", err)
		}
	}
	return p.builtin.PrintConfig || p.builtin.CheckConfig, nil
}
