package config

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"github.com/alecthomas/kong"
)

// errAnswered ends a parse early because a flag such as --help has been answered.
var errAnswered = errors.New("answered")

// actionTag marks a flag that is neither a setting of the file nor of the environment.
const actionTag = "action"

// builtin are the flags that every program has.
type builtin struct {
	Config      string      `name:"config" action:"" placeholder:"FILE" help:"Read settings from this YAML file."`
	PrintConfig bool        `name:"print-config" action:"" help:"Print the settings in effect as YAML, secrets redacted, and exit."`
	CheckConfig bool        `name:"check-config" action:"" help:"Check the settings and exit with 0 if they can be used, else with 1."`
	Version     versionFlag `name:"version" action:"" help:"Print the version and exit."`
	Help        helpFlag    `name:"help" short:"h" action:"" help:"Print this help and exit."`
}

type (
	helpFlag    bool
	versionFlag bool
)

// BeforeReset answers --help before anything is checked: who asks for help may have wrong settings.
func (helpFlag) BeforeReset(ctx *kong.Context) error {
	if err := ctx.PrintUsage(false); err != nil {
		return fmt.Errorf("print the help: %w", err)
	}
	return errAnswered
}

// BeforeReset answers --version before anything is checked.
func (versionFlag) BeforeReset(ctx *kong.Context, vars kong.Vars) error {
	if _, err := fmt.Fprintln(ctx.Stdout, ctx.Model.Name, vars["version"]); err != nil {
		return fmt.Errorf("print the version: %w", err)
	}
	return errAnswered
}

// root is what kong parses into, beside the struct of the caller.
type root struct {
	builtin

	parser *parser
}

// BeforeResolve reads the file, once the command line has said which, and before any value is looked up in it.
func (r *root) BeforeResolve(ctx *kong.Context) error { return r.parser.addSources(ctx) }

// parser is one kong parser together with what kong does not keep: where each value came from.
type parser struct {
	kong    *kong.Kong
	builtin *builtin
	o       Options
	flags   map[string]*kong.Flag // the settings by name, without actions
	envs    map[string][]string   // the environment variables of each setting, by its name
	origins map[string]string     // where each setting came from, for people; nothing for a default
	check   bool                  // --check-config was given
}

func newParser(cfg any, o Options) (*parser, error) {
	p := &parser{o: o, flags: map[string]*kong.Flag{}, envs: map[string][]string{}, origins: map[string]string{}}
	r := &root{parser: p}
	p.builtin = &r.builtin
	k, err := kong.New(r,
		kong.Name(o.Name), kong.Description(help(o)), kong.NoDefaultHelp(),
		kong.Vars{"version": o.Version},
		kong.Writers(o.Out, io.Discard), kong.Exit(func(int) {}), kong.Embed(cfg),
		kong.ValueFormatter(p.formatHelp),
		kong.ConfigureHelp(kong.HelpOptions{FlagsLast: true, NoAppDescFormat: true, ValueFormatter: p.formatHelp}),
	)
	if err != nil {
		return nil, err
	}
	p.kong = k
	p.envs["config"] = []string{FileEnv} // for the help; openFile looks it up
	seen := map[string]bool{}
	for _, f := range k.Model.Flags {
		if seen[f.Name] {
			return nil, fmt.Errorf("flag --%s is declared twice", f.Name)
		}
		seen[f.Name] = true
		if f.Tag.Has(actionTag) {
			continue
		}
		p.flags[f.Name] = f
		// kong would read the process's own environment, and let the file win over it: see resolve.
		p.envs[f.Name] = f.Tag.Envs
		f.Envs, f.Tag.Envs = nil, nil
	}
	return p, p.setDefaults()
}

// setDefaults puts the caller's defaults in the place of those of the tags.
func (p *parser) setDefaults() error {
	for name, value := range p.o.Defaults {
		flag, ok := p.flags[name]
		if !ok {
			return fmt.Errorf("there is no flag --%s to give a default to", name)
		}
		flag.HasDefault, flag.Default = true, value
	}
	return nil
}

// help is the text above the flags.
func help(o Options) string {
	var b strings.Builder
	b.WriteString(o.Summary)
	if len(o.Examples) > 0 {
		b.WriteString("\n\nExamples:")
		for _, example := range o.Examples {
			b.WriteString("\n  " + example)
		}
	}
	return b.String()
}

// formatHelp adds to a flag's help its default, where that does not stand for the value already, and its environment
// variables.
func (p *parser) formatHelp(v *kong.Value) string {
	var notes []string
	if v.Flag != nil && v.Flag.PlaceHolder != "" && v.Default != "" {
		notes = append(notes, "default "+v.Default)
	}
	for _, env := range p.envs[v.Name] {
		notes = append(notes, "$"+env)
	}
	if len(notes) == 0 {
		return v.Help
	}
	suffix := "(" + strings.Join(notes, ", ") + ")"
	if text, found := strings.CutSuffix(v.Help, "."); found {
		return text + " " + suffix + "."
	}
	return strings.TrimSpace(v.Help + " " + suffix)
}

func (p *parser) parse(args []string) error {
	ctx, err := p.kong.Parse(args)
	if parseErr, ok := errors.AsType[*kong.ParseError](err); ok {
		ctx = parseErr.Context
	}
	if ctx == nil {
		return err
	}
	for _, path := range ctx.Path {
		if path.Flag == nil || path.Resolved {
			continue
		}
		p.origins[path.Flag.Name] = "flag"
		if path.Flag.Name == "check-config" {
			p.check = true
		}
	}
	return err
}

// flagInMessage finds the setting that a message of kong is about.
var flagInMessage = regexp.MustCompile(`--([a-z0-9][a-z0-9-]*)`)

// fail makes an [Error] of err, and says where the value came from if it is not in view on the command line.
func (p *parser) fail(err error) error {
	if parseErr, ok := errors.AsType[*kong.ParseError](err); ok {
		err = parseErr.Unwrap()
		if m := flagInMessage.FindStringSubmatch(err.Error()); m != nil {
			if origin, ok := p.origins[m[1]]; ok && origin != "flag" {
				err = fmt.Errorf("%w (set by %s)", err, origin)
			}
		}
	}
	code := exitUsage
	if p.check {
		code = exitInvalid
	}
	return &Error{err: err, code: code}
}
