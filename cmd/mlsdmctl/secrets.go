package main

import (
	"context"
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// secretsCommand is the group of commands about secrets. Alone it lists them.
type secretsCommand struct {
	List    secretsListCommand    `cmd:"" default:"withargs" help:"List the secrets that the caller may have, without their values; what secrets does alone."`
	Get     secretsGetCommand     `cmd:"" help:"Read a secret."`
	Refresh secretsRefreshCommand `cmd:"" help:"Have the stores asked for a secret now, for everybody."`
	Policy  secretsPolicyCommand  `cmd:"" help:"Check what secretd's file lets a caller have."`
	Audit   secretsAuditCommand   `cmd:"" help:"Show who asked for which secret, and what came of it."`
}

// Help shows examples.
func (secretsCommand) Help() string {
	return "A value travels sealed to a key that is made for the one request; who asks is named by --caller.\n\n" +
		"  mlsdmctl --caller admin secrets\n" +
		"  mlsdmctl --caller generator secrets get openai_api_key\n" +
		"  mlsdmctl --caller generator secrets get openai_api_key --to-env -- python train.py\n" +
		"  mlsdmctl --caller admin secrets refresh openai_api_key\n" +
		"  mlsdmctl secrets policy check generator openai_api_key --config secrets.yaml\n" +
		"  mlsdmctl secrets audit --since 24h"
}

// errNoCaller is what a question about secrets without a name of who asks gets.
var errNoCaller = errors.New("who asks for a secret always has a name: give it with --caller NAME, or MLSDM_CALLER")

// secretsListCommand lists secrets.
type secretsListCommand struct{}

// Run implements the command.
func (secretsListCommand) Run(ctx context.Context, c *connection, t terminal) error {
	if err := c.identify(t); err != nil {
		return err
	}
	if c.Caller == "" {
		return &usageError{errNoCaller}
	}
	list := events.SecretsList{Secrets: []events.SecretInfo{}}
	for {
		var page events.SecretsList
		if err := c.call(ctx, t, events.OpSecretsList, events.SecretsListRequest{After: list.Next}, &page); err != nil {
			return err
		}
		list.Secrets = append(list.Secrets, page.Secrets...)
		if page.Next <= list.Next { // nothing, or what would never end
			list.Next = ""
			break
		}
		list.Next = page.Next
	}
	if c.JSON {
		return printJSON(t, list)
	}
	if len(list.Secrets) == 0 {
		_, err := fmt.Fprintf(t.out, "%s may have no secret by name; secretd's settings say who may have which (SECRETD_CONFIG, or SECRETD_ALLOW and SECRETD_CALLERS)\n", printable(c.Caller))
		return err
	}
	return printSecrets(t, list.Secrets...)
}

// printSecrets prints what is known of secrets, as a table.
func printSecrets(t terminal, secrets ...events.SecretInfo) error {
	w := tabwriter.NewWriter(t.out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tSTATE\tSOURCE\tVERSION\tAGE")
	for _, s := range secrets {
		age := "-"
		if !s.FetchedAt.IsZero() {
			age = max(time.Since(s.FetchedAt), 0).Round(time.Second).String()
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", printable(s.Name), printable(s.State), orDash(printable(s.Source)), orDash(printable(s.Version)), age)
	}
	return w.Flush()
}

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

// secretsRefreshCommand has the stores asked now.
type secretsRefreshCommand struct {
	Name string `arg:"" help:"Name of the secret."`
}

// Help shows examples.
func (secretsRefreshCommand) Help() string {
	return "When the value is another than before, every service that uses it is told at once (secret.rotated).\n\n" +
		"  mlsdmctl --caller admin secrets refresh openai_api_key"
}

// Run implements the command.
func (r secretsRefreshCommand) Run(ctx context.Context, c *connection, t terminal) error {
	if err := c.identify(t); err != nil {
		return err
	}
	if c.Caller == "" {
		return &usageError{errNoCaller}
	}
	var done events.SecretsRefreshed
	if err := c.call(ctx, t, events.OpSecretsRefresh, events.SecretsRefreshRequest{Name: r.Name}, &done); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(t, done)
	}
	what := "is as it was"
	if done.Rotated {
		what = "is new"
		if done.PreviousVersion != "" {
			what += "; before it was version " + printable(done.PreviousVersion)
		}
	}
	if _, err := fmt.Fprintf(t.out, "%s %s\n", printable(done.Secret.Name), what); err != nil {
		return err
	}
	return printSecrets(t, done.Secret)
}
