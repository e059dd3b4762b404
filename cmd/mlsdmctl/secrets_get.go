package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"

	"github.com/neuron7x/mlsdm-integrations/pkg/client"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// secretsGetCommand reads a secret.
type secretsGetCommand struct {
	Name     string   `arg:"" help:"Name of the secret."`
	Secretd  string   `name:"secretd-key" env:"MLSDM_SECRETD_KEY" placeholder:"KEY" help:"Public nkey (U…) of secretd, as secretd.env of mlsdmctl init has it: no other's answer is believed."`
	Yes      bool     `short:"y" help:"Print it to a terminal without asking."`
	ToEnv    bool     `name:"to-env" help:"Print nothing; run the command behind -- with the secret in its environment."`
	Variable string   `placeholder:"NAME" help:"The variable that --to-env sets; without it the secret's name in upper case."`
	Command  []string `arg:"" optional:"" passthrough:"" help:"The command of --to-env."`
}

// Help shows examples.
func (secretsGetCommand) Help() string {
	return "To a terminal it is printed only after you were asked: it stays in the scrollback. To a pipe or a file it is printed as it is,\n" +
		"without a newline that is not its own. With --to-env it is not printed at all.\n\n" +
		"  mlsdmctl --caller generator secrets get openai_api_key\n" +
		"  mlsdmctl --caller generator secrets get openai_api_key --to-env -- python train.py\n" +
		"  mlsdmctl --caller generator secrets get db_password --to-env --variable PGPASSWORD -- psql\n" +
		"  mlsdmctl --caller generator secrets get tls_key > key.pem\n" +
		"  mlsdmctl --caller generator --json secrets get openai_api_key"
}

// Run implements the command.
func (s secretsGetCommand) Run(ctx context.Context, c *connection, t terminal) error {
	command := s.Command
	if len(command) > 0 && command[0] == "--" {
		command = command[1:]
	}
	if err := c.identify(t); err != nil {
		return err
	}
	switch {
	case c.Caller == "":
		return &usageError{errNoCaller}
	case s.ToEnv && len(command) == 0:
		return &usageError{errors.New("--to-env needs a command: mlsdmctl secrets get NAME --to-env -- COMMAND")}
	case !s.ToEnv && len(command) > 0:
		return &usageError{errors.New("a command is run only with --to-env: mlsdmctl secrets get NAME --to-env -- COMMAND")}
	}
	value, err := s.ask(ctx, c, t)
	if err != nil {
		return err
	}
	switch {
	case s.ToEnv:
		return s.run(ctx, t, command, value)
	case c.JSON:
		return printJSON(t, map[string]any{"name": s.Name, "source": value.Source, "version": value.Version, "value": value.Reveal()})
	case !interactive(t.out):
		_, err := fmt.Fprint(t.out, value.Reveal())
		return err
	}
	if !s.Yes {
		if !interactive(t.in) {
			return &usageError{errors.New("the value would be printed to a terminal, and nobody can be asked: say --yes, or send the output elsewhere")}
		}
		question := fmt.Sprintf("%s from %s has %d bytes. Print it here?", printable(s.Name), printable(value.Source), len(value.Reveal()))
		if err := confirm(ctx, t, question, errNotPrinted); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintln(t.out, printable(value.Reveal()))
	return err
}

// errNotPrinted ends a question that was not answered with yes.
var errNotPrinted = errors.New("nothing was printed: the question was not answered with y; --yes does not ask")

// ask asks secretd.
func (s secretsGetCommand) ask(ctx context.Context, c *connection, t terminal) (client.Secret, error) {
	cl, err := c.client(ctx, t, client.SecretdKey(s.Secretd))
	if err != nil {
		return client.Secret{}, err
	}
	defer cl.Close()
	value, err := cl.Secret(ctx, s.Name)
	if e := events.AsError(err); e != nil && e.Provider != "" { // it is secretd whose credentials are not accepted, and not ours
		return value, err
	}
	return value, hint(err)
}

// run runs a command with the secret in its environment. Its exit code becomes ours (see [lifecycle.ExitCode]).
func (s secretsGetCommand) run(ctx context.Context, t terminal, command []string, value client.Secret) error {
	name := s.Variable
	if name == "" {
		name = strings.ToUpper(strings.NewReplacer(".", "_", "-", "_").Replace(s.Name))
	}
	if name == "" || strings.ContainsAny(name, "=\x00") || strings.ContainsAny(name, ":/#@") {
		return &usageError{fmt.Errorf("%q is no name of a variable: give one with --variable", name)}
	}
	cmd := exec.CommandContext(ctx, command[0], command[1:]...) //nolint:gosec // whose command it is says which
	cmd.Stdin, cmd.Stdout, cmd.Stderr = t.in, t.out, t.err
	cmd.Env = append(cmd.Environ(), name+"="+value.Reveal())
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w", command[0], err)
	}
	return nil
}
