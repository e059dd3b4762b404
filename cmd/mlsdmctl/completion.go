package main

import (
	"fmt"
	"strings"

	"github.com/alecthomas/kong"
)

// completionCommand prints a script that completes commands and flags.
type completionCommand struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"bash, zsh or fish."`
}

// Help shows how to use it.
func (completionCommand) Help() string {
	return "  source <(mlsdmctl completion bash)\n  source <(mlsdmctl completion zsh)\n  mlsdmctl completion fish | source"
}

// Run implements the command. The script is made of the same declarations as the command line, so the two cannot differ.
func (c completionCommand) Run(t terminal, app *kong.Application) error {
	places := placesOf(app.Node, "")
	var err error
	if c.Shell == "fish" {
		_, err = fmt.Fprint(t.out, fishScript(places, app.Flags))
	} else {
		_, err = fmt.Fprint(t.out, bashScript(c.Shell, places, app.Flags))
	}
	return err
}

// place is where one can be on the command line: behind no command, behind one, or behind a command of a group.
type place struct {
	path     string // "", "webhooks", "webhooks deliveries", …
	commands []*kong.Node
	flags    []*kong.Flag
	answers  []string // what an argument may be
}

// placesOf lists a command and all that are below it.
func placesOf(node *kong.Node, path string) []place {
	here := place{path: path}
	if node.Type == kong.CommandNode {
		here.flags = node.Flags
	}
	for _, argument := range node.Positional {
		if argument.Enum != "" {
			here.answers = append(here.answers, argument.EnumSlice()...)
		}
	}
	var below []place
	for _, command := range node.Children {
		if command.Hidden {
			continue
		}
		here.commands = append(here.commands, command)
		below = append(below, placesOf(command, strings.TrimSpace(path+" "+command.Name))...)
	}
	return append([]place{here}, below...)
}

// words are all that may be typed there.
func (p place) words(global []*kong.Flag) string {
	var words []string
	for _, command := range p.commands {
		words = append(words, command.Name)
	}
	words = append(words, p.answers...)
	for _, f := range append(append([]*kong.Flag{}, p.flags...), global...) {
		if !f.Hidden {
			words = append(words, "--"+f.Name)
		}
	}
	return strings.Join(words, " ")
}

// bashScript completes in bash, and in zsh through its bash mode. It goes down the groups as far as the words before the
// cursor are commands.
func bashScript(shell string, places []place, global []*kong.Flag) string {
	var b strings.Builder
	if shell == "zsh" {
		b.WriteString("autoload -U +X bashcompinit && bashcompinit\n")
	}
	b.WriteString("_mlsdmctl() {\n  local cur=\"${COMP_WORDS[COMP_CWORD]}\" at=\"\" w\n")
	b.WriteString("  for w in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n    case \"$w\" in -*) continue ;; esac\n    case \"${at:+$at }$w\" in\n")
	var paths []string
	for _, p := range places[1:] {
		paths = append(paths, fmt.Sprintf("%q", p.path))
	}
	fmt.Fprintf(&b, "      %s) at=\"${at:+$at }$w\" ;;\n    esac\n  done\n", strings.Join(paths, "|"))
	b.WriteString("  local words\n  case \"$at\" in\n")
	for _, p := range places[1:] {
		fmt.Fprintf(&b, "    %q) words=%q ;;\n", p.path, p.words(global))
	}
	fmt.Fprintf(&b, "    *) words=%q ;;\n  esac\n", places[0].words(global))
	b.WriteString("  COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n}\ncomplete -o default -F _mlsdmctl mlsdmctl\n")
	return b.String()
}

// fishScript completes in fish, with the help texts.
func fishScript(places []place, global []*kong.Flag) string {
	quote := func(s string) string {
		return "'" + strings.ReplaceAll(strings.ReplaceAll(s, `\`, `\\`), "'", `\'`) + "'"
	}
	var paths []string
	for _, p := range places[1:] {
		paths = append(paths, quote(p.path))
	}
	var b strings.Builder
	b.WriteString("function __mlsdmctl_at\n  set -l at ''\n  for w in (commandline -opc)[2..-1]\n")
	b.WriteString("    string match -q -- '-*' $w; and continue\n    set -l next (string trim -- \"$at $w\")\n")
	fmt.Fprintf(&b, "    contains -- $next %s; and set at $next\n  end\n  test \"$at\" = \"$argv[1]\"\nend\n", strings.Join(paths, " "))
	b.WriteString("complete -c mlsdmctl -f\n")
	for _, p := range places {
		at := quote("__mlsdmctl_at " + quote(p.path))
		for _, command := range p.commands {
			fmt.Fprintf(&b, "complete -c mlsdmctl -n %s -a %s -d %s\n", at, command.Name, quote(command.Help))
		}
		for _, answer := range p.answers {
			fmt.Fprintf(&b, "complete -c mlsdmctl -n %s -a %s\n", at, quote(answer))
		}
		for _, f := range p.flags {
			if !f.Hidden {
				fmt.Fprintf(&b, "complete -c mlsdmctl -n %s -l %s -d %s\n", at, f.Name, quote(f.Help))
			}
		}
	}
	for _, f := range global {
		if !f.Hidden {
			fmt.Fprintf(&b, "complete -c mlsdmctl -l %s -d %s\n", f.Name, quote(f.Help))
		}
	}
	return b.String()
}
