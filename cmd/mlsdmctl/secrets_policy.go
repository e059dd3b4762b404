package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/neuron7x/mlsdm-integrations/services/secretd"
)

// secretsPolicyCommand is the group of commands about who may have which secret.
type secretsPolicyCommand struct {
	Check secretsPolicyCheckCommand `cmd:"" help:"Say what a file lets a caller do with a secret."`
}

// secretsPolicyCheckCommand checks one case.
type secretsPolicyCheckCommand struct {
	Caller string `arg:"" help:"Who asks."`
	Name   string `arg:"" help:"Name of the secret, or a reference such as vault:mlsdm/openai#api_key."`
	Config string `required:"" env:"SECRETD_CONFIG" placeholder:"FILE" help:"The file that secretd reads."`
}

// Help shows examples.
func (secretsPolicyCheckCommand) Help() string {
	return "It reads the file as secretd does and asks nobody. It ends with 0 when the caller may have the secret, and with 1 when not.\n\n" +
		"  mlsdmctl secrets policy check generator openai_api_key --config secrets.yaml\n" +
		"  mlsdmctl secrets policy check embedder vault:mlsdm/openai#api_key --config secrets.yaml --json"
}

// errDenied says that a file of rules denies what was asked about.
var errDenied = errors.New("the file denies it")

// Run implements the command.
func (p secretsPolicyCheckCommand) Run(c *connection, t terminal) error {
	text, err := os.ReadFile(p.Config)
	if err != nil {
		return err
	}
	ruling, err := secretd.Explain(p.Config, text, p.Caller, p.Name)
	if err != nil {
		return err
	}
	if c.JSON {
		err = printJSON(t, ruling)
	} else {
		_, err = fmt.Fprint(t.out, told(ruling))
	}
	if err == nil && !ruling.Get {
		return errDenied
	}
	return err
}

// told says a ruling in words.
func told(r secretd.Ruling) string {
	var may, mayNot []string
	for _, right := range []struct {
		name string
		has  bool
	}{{"get", r.Get}, {"list", r.List}, {"refresh", r.Refresh}} {
		if right.has {
			may = append(may, right.name)
		} else {
			mayNot = append(mayNot, right.name)
		}
	}
	var b strings.Builder
	if len(may) > 0 {
		fmt.Fprintf(&b, "%s may %s %s\n", printable(r.Caller), strings.Join(may, ", "), printable(r.Name))
	}
	if len(mayNot) > 0 {
		fmt.Fprintf(&b, "%s may not %s %s\n", printable(r.Caller), strings.Join(mayNot, ", "), printable(r.Name))
	}
	switch {
	case !r.Configured:
		fmt.Fprintf(&b, "the file names no secret %s: who may get it gets not_found\n", printable(r.Name))
	default:
		fmt.Fprintf(&b, "it is looked for in %s\n", printable(strings.Join(r.From, ", then ")))
	}
	return b.String()
}
