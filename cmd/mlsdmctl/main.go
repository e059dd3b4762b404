// Command mlsdmctl runs the whole stack in one process, and is the command line client of one that runs elsewhere.
package main

import (
	"context"
	"fmt"
	"io"
	"log" //nolint:depguard // to silence it
	"os"

	"github.com/alecthomas/kong"

	"github.com/neuron7x/mlsdm-integrations/internal/lifecycle"
	"github.com/neuron7x/mlsdm-integrations/internal/version"
)

// commands is the command line. What `up` reads is not declared here: it is read as a service reads its settings, from
// flags, environment and file.
type commands struct {
	Up         upCommand         `cmd:"" passthrough:"" help:"Run every service in one process on an embedded NATS server."`
	Embed      embedCommand      `cmd:"" help:"Turn texts into vectors."`
	Job        jobCommand        `cmd:"" help:"Show how far a durable request for vectors is, wait for it, and fetch its vectors."`
	Similarity similarityCommand `cmd:"" help:"Compare texts by what they mean."`
	Spaces     spacesCommand     `cmd:"" help:"See which vectors can be compared, and agree to others."`
	Cache      cacheCommand      `cmd:"" help:"See what the caches of the services do, and clear them."`
	Generate   generateCommand   `cmd:"" help:"Answer a prompt; the answer appears as it is made."`
	Models     modelsCommand     `cmd:"" help:"List the models: which can answer now, what they cost, what is left of limits."`
	Publish    publishCommand    `cmd:"" help:"Publish an event."`
	Events     eventsCommand     `cmd:"" help:"Show events as they happen."`
	Top        topCommand        `cmd:"" help:"Show live how services, streams, consumers and webhook endpoints do."`
	Trace      traceCommand      `cmd:"" help:"Show the whole journey of one message: request, result, events, deliveries and every attempt."`
	CI         ciCommand         `cmd:"" name:"ci" help:"Show CI health and history, have it looked at now, and recover what is broken."`
	Webhooks   webhooksCommand   `cmd:"" help:"List, make, change and test webhook endpoints."`
	Secrets    secretsCommand    `cmd:"" help:"List, read and refresh secrets, and see who asked for them."`
	LogLevel   logLevelCommand   `cmd:"" help:"Show what the services log, and change it while they run."`
	Shutdown   shutdownCommand   `cmd:"" help:"Shut a service down, and tell everybody why."`
	Doctor     doctorCommand     `cmd:"" help:"Check the bus, the streams and the services, and say what to do about each fault."`
	Smoke      smokeCommand      `cmd:"" help:"Send one of everything through the stack, and check the answers and the trace."`
	Provision  provisionCommand  `cmd:"" help:"Make the streams, consumers, KV buckets and object stores that the services need."`
	Backup     backupCommand     `cmd:"" help:"Save streams, consumers, KV buckets and object stores to a folder, or check what was saved."`
	Restore    restoreCommand    `cmd:"" help:"Bring a backup back."`
	Init       initCommand       `cmd:"" help:"Make the keys, users and rights of a closed bus."`
	Completion completionCommand `cmd:"" help:"Print a completion script for bash, zsh or fish."`
	Version    versionCommand    `cmd:"" help:"Print the version."`

	connection
}

// terminal is what the operating system gives the program.
type terminal struct {
	in       io.Reader
	out, err io.Writer
	lookup   func(name string) (string, bool)
}

func main() {
	log.SetOutput(io.Discard) // net/http quotes there what servers send unasked; what we have to say goes to slog
	ctx, stop := lifecycle.WithSignals(context.Background(), func() { os.Exit(lifecycle.ExitKilled) })
	code := run(ctx, os.Args[1:], terminal{in: os.Stdin, out: os.Stdout, err: os.Stderr, lookup: os.LookupEnv})
	stop()
	os.Exit(code)
}

// run is main without the operating system.
func run(ctx context.Context, args []string, t terminal) int {
	var cli commands
	answered := false
	parser, err := kong.New(&cli,
		kong.Name("mlsdmctl"),
		kong.Description("Runs the MLSDM integrations, and talks to them over NATS.\n\n"+
			"  mlsdmctl up --demo                     the whole stack, with events flowing\n"+
			"  mlsdmctl embed \"some text\"             a vector\n"+
			"  mlsdmctl generate \"a question\"         an answer, streamed\n"+
			"  mlsdmctl events 'ci.*' --since 1h      what happened\n"+
			"  mlsdmctl publish custom.deploy '{\"version\":\"1.2.3\"}'\n"+
			"  mlsdmctl trace order-1                 what became of a message\n"+
			"  mlsdmctl top                           how everything does, live\n"+
			"  mlsdmctl doctor                        what is wrong, and what to do about it"),
		kong.UsageOnError(), kong.Writers(t.out, t.err), kong.Exit(func(int) { answered = true }),
		kong.ConfigureHelp(kong.HelpOptions{NoAppDescFormat: true, NoExpandSubcommands: true, FlagsLast: true}),
		kong.Vars{"version": version.String()},
		kong.BindTo(ctx, (*context.Context)(nil)), kong.Bind(t),
	)
	if err != nil {
		return complain(t, err)
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	parsed, err := parser.Parse(initArgs(args))
	if answered { // --help
		return 0
	}
	if err != nil {
		fmt.Fprintf(t.err, "mlsdmctl: %v\nmlsdmctl --help shows what there is.\n", err)
		return lifecycle.ExitUsage
	}
	if err := parsed.Run(&cli.connection, parser.Model); err != nil {
		return complain(t, err)
	}
	return 0
}

// complain tells the person at the terminal what went wrong.
func complain(t terminal, err error) int {
	fmt.Fprintf(t.err, "mlsdmctl: %s\n", printable(err.Error()))
	return lifecycle.ExitCode(err)
}
