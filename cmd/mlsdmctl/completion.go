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
	words := map[string][]string{}
	var names []string
	for _, cmd := range app.Children {
		if cmd.Hidden {
			continue
		}
		names = append(names, cmd.Name)
		words[cmd.Name] = flagWords(cmd.Flags)
		if cmd.Name == "completion" {
			words[cmd.Name] = append(words[cmd.Name], "bash", "zsh", "fish")
		}
	}
	global := flagWords(app.Flags)
	var err error
	if c.Shell == "fish" {
		_, err = fmt.Fprint(t.out, fishScript(app, names))
	} else {
		_, err = fmt.Fprint(t.out, bashScript(c.Shell, names, words, global))
	}
	return err
}

// flagWords returns flags as they are typed.
func flagWords(flags []*kong.Flag) []string {
	var words []string
	for _, f := range flags {
		if !f.Hidden {
			words = append(words, "--"+f.Name)
		}
	}
	return words
}

// bashScript completes in bash, and in zsh through its bash mode.
func bashScript(shell string, names []string, words map[string][]string, global []string) string {
	var b strings.Builder
	if shell == "zsh" {
		b.WriteString("autoload -U +X bashcompinit && bashcompinit\n")
	}
	b.WriteString("_mlsdmctl() {\n  local cur=\"${COMP_WORDS[COMP_CWORD]}\" cmd=\"\" w\n")
	b.WriteString("  for w in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do case \"$w\" in -*) ;; *) cmd=\"$w\"; break ;; esac; done\n")
	b.WriteString("  local words\n  case \"$cmd\" in\n")
	for _, name := range names {
		fmt.Fprintf(&b, "    %s) words=%q ;;\n", name, strings.Join(append(words[name], global...), " "))
	}
	fmt.Fprintf(&b, "    *) words=%q ;;\n  esac\n", strings.Join(append(names, global...), " "))
	b.WriteString("  COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n}\ncomplete -o default -F _mlsdmctl mlsdmctl\n")
	return b.String()
}

// fishScript completes in fish, with the help texts.
func fishScript(app *kong.Application, names []string) string {
	var b strings.Builder
	quote := func(s string) string {
		return "'" + strings.ReplaceAll(strings.ReplaceAll(s, `\`, `\\`), "'", `\'`) + "'"
	}
	b.WriteString("complete -c mlsdmctl -f\n")
	none := "not __fish_seen_subcommand_from " + strings.Join(names, " ")
	for _, cmd := range app.Children {
		if cmd.Hidden {
			continue
		}
		fmt.Fprintf(&b, "complete -c mlsdmctl -n %s -a %s -d %s\n", quote(none), cmd.Name, quote(cmd.Help))
		for _, f := range cmd.Flags {
			fmt.Fprintf(&b, "complete -c mlsdmctl -n %s -l %s -d %s\n", quote("__fish_seen_subcommand_from "+cmd.Name), f.Name, quote(f.Help))
		}
	}
	for _, f := range app.Flags {
		fmt.Fprintf(&b, "complete -c mlsdmctl -l %s -d %s\n", f.Name, quote(f.Help))
	}
	return b.String()
}
