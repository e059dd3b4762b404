package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/neuron7x/mlsdm-integrations/cmd/mlsdmctl/internal/installation"
	"github.com/neuron7x/mlsdm-integrations/internal/permissions"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// initCommand makes what a closed bus needs on disk.
type initCommand struct {
	Dir       string   `default:"deploy/installation" placeholder:"DIR" help:"Folder for the keys and the server's users; it is closed to others. What is in it is secret: do not commit it."`
	Callers   []string `name:"add-caller" sep:"," placeholder:"NAME" help:"Add a user for an application of this name, with the rights of client. Can be repeated; here --caller means the same."`
	Rotate    []string `sep:"," placeholder:"USER" help:"Give a user a new key. Can be repeated."`
	TLS       bool     `name:"tls" help:"Make certificates for the server, signed by an authority of its own, for a year; run it again to have them renewed in their last month."`
	TLSName   []string `name:"tls-name" sep:"," placeholder:"HOST" help:"Host name or address that the certificate is also good for, beside nats and localhost."`
	Cluster   []string `sep:"," placeholder:"HOST" help:"The NATS servers of a cluster, by the names with which they reach each other: three or more. They are kept."`
	ServerDir string   `default:"/etc/nats/installation" placeholder:"DIR" help:"Where the NATS server finds the folder nats of DIR."`
	DryRun    bool     `help:"Show what would be done, and do nothing."`
}

// initArgs makes --caller mean --add-caller where it is init that is asked: behind all other commands the flag says who asks, and
// the parser knows one flag of a name.
func initArgs(args []string) []string {
	if len(args) == 0 || args[0] != "init" {
		return args
	}
	args = slices.Clone(args)
	for i, arg := range args {
		if rest, found := strings.CutPrefix(arg, "--caller"); found && (rest == "" || rest[0] == '=') {
			args[i] = "--add-caller" + rest
		}
	}
	return args
}

// Help shows examples.
func (initCommand) Help() string {
	return "It makes an nkey for every service, for admin and for client, and what each may do on the bus, in a file that a NATS server includes\n" +
		"(DIR/nats/users.conf), and the other keys of the stack. It does only what is missing, so it can be run again at any time.\n" +
		"The compose stack runs with it: make up.\n\n" +
		"  mlsdmctl init --dry-run\n" +
		"  mlsdmctl init --caller team-a --caller team-b\n" +
		"  mlsdmctl init --rotate dispatcher\n" +
		"  mlsdmctl init --tls --tls-name bus.example.com\n" +
		"  mlsdmctl init --cluster nats-1,nats-2,nats-3\n\n" +
		"Then connect as one of the users, with mlsdmctl or with nats:\n\n" +
		"  export NATS_NKEY=deploy/installation/users/client.nk\n" +
		"  mlsdmctl embed hello\n" +
		"  nats --inbox-prefix _INBOX_client request mlsdm.as.client.embed '{\"input\":\"hello\"}'"
}

// Run implements the command.
func (i initCommand) Run(c *connection, t terminal) error {
	subjects, err := events.NewSubjects(c.Prefix)
	if err != nil {
		return err
	}
	if !i.TLS && len(i.TLSName) > 0 {
		return errors.New("--tls-name needs --tls")
	}
	result, err := installation.Make(installation.Options{
		Dir: strings.TrimRight(i.Dir, "/"), Subjects: subjects, Callers: i.Callers, Rotate: i.Rotate, TLS: i.TLS, TLSNames: i.TLSName, Cluster: i.Cluster,
		ServerDir: i.ServerDir, DryRun: i.DryRun, Now: time.Now(),
	})
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(t, result)
	}
	w := tabwriter.NewWriter(t.out, 0, 4, 2, ' ', 0)
	for _, change := range result.Changes {
		fmt.Fprintf(w, "%s\t%s/%s\t%s\n", change.Action, result.Dir, change.Path, change.What)
	}
	if len(result.Changes) == 0 {
		fmt.Fprintf(w, "%s: everything is there; nothing was changed\n", result.Dir)
	}
	if err := w.Flush(); err != nil || result.DryRun || len(result.Changes) == 0 {
		return err
	}
	_, err = fmt.Fprint(t.out, nextSteps(result))
	return err
}

// nextSteps says what a person does now.
func nextSteps(r installation.Result) string {
	var steps strings.Builder
	reload := false
	for _, change := range r.Changes {
		reload = reload || change.Action == installation.Update && strings.HasPrefix(change.Path, "nats/")
	}
	if reload {
		steps.WriteString("\nA server that runs reads its users and certificates anew with: docker compose kill --signal HUP nats\n" +
			"(elsewhere: nats-server --signal reload)\n")
	}
	var containers []string
	for _, user := range r.Rotated {
		for _, service := range permissions.Services() {
			if user == service {
				containers = append(containers, user)
			}
		}
	}
	if len(containers) > 0 {
		fmt.Fprintf(&steps, "Until then the old key is good, and from then on only the new one. What uses it is started anew with:\n"+
			"docker compose up --detach --no-deps --force-recreate %s\n", strings.Join(containers, " "))
	}
	fmt.Fprintf(&steps, "\nUsers of the bus: %s. Connect as one of them with\n\n  export NATS_NKEY=%s/users/client.nk\n", strings.Join(r.Users, ", "), r.Dir)
	if r.TLS {
		fmt.Fprintf(&steps, "  export NATS_CA=%s/nats/ca.pem\n", r.Dir)
	}
	return steps.String()
}
