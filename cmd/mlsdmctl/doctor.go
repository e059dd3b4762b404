package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/provision"
	"github.com/neuron7x/mlsdm-integrations/internal/version"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// doctorCommand checks everything that can be seen from the bus.
type doctorCommand struct{}

// Results of a finding.
const (
	findingOK   = "ok"
	findingWarn = "warn"
	findingFail = "fail"
)

// Finding is what the doctor says about one thing.
type Finding struct {
	Check  string `json:"check"`
	Result string `json:"result"` // ok, warn or fail
	Says   string `json:"says"`
	Advice string `json:"advice,omitempty"`
}

// Needs of the server.
const (
	// The message scheduler, which holds the retries of webhooks, is in the server since 2.12.
	minServerMajor, minServerMinor = 2, 12
	wantedPayload                  = 8 << 20
)

// errSick makes the program exit with 1 after the findings have been printed.
var errSick = errors.New("something is wrong; see above")

// Help shows examples.
func (doctorCommand) Help() string {
	return "It exits with 1 if something cannot work; warnings do not count.\n\n  mlsdmctl doctor --server nats://bus:4222\n  mlsdmctl doctor --json"
}

// Run implements the command.
func (doctorCommand) Run(ctx context.Context, c *connection, t terminal) error {
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	var found []Finding
	b, err := c.bus(ctx, t)
	if err != nil {
		found = append(found, Finding{"connection", findingFail, err.Error(), "start the server, or name the right one with --server; a closed bus asks for a key: --nkey deploy/installation/users/admin.nk"})
	} else {
		defer b.Close(ctx) //nolint:errcheck // all calls have been answered by then: there is nothing left to lose
		found = examine(ctx, b)
	}
	if err := printFindings(c, t, found); err != nil {
		return err
	}
	if slices.ContainsFunc(found, func(f Finding) bool { return f.Result == findingFail }) {
		return errSick
	}
	return nil
}

// examine looks at the server, the assets and the services, in the order in which faults follow from each other.
func examine(ctx context.Context, b *bus.Bus) []Finding {
	found := []Finding{{"connection", findingOK, "connected to " + b.ServerURL(), ""}, checkServer(b), checkPayload(b)}
	assets := checkAssets(ctx, b)
	found = append(found, assets...)
	if assets[0].Result == findingFail && assets[0].Check == "jetstream" {
		return found
	}
	for _, name := range []string{events.ServiceCIWatch, events.ServiceEmbedder, events.ServiceGenerator, events.ServiceDispatcher, events.ServiceSecretd} {
		found = append(found, checkService(ctx, b, name))
	}
	return append(found, checkBacklog(ctx, b)...)
}

// checkServer checks the version of the server.
func checkServer(b *bus.Bus) Finding {
	f := Finding{Check: "server", Result: findingOK, Says: "nats-server " + b.ServerVersion()}
	parts := strings.SplitN(b.ServerVersion(), ".", 3)
	if len(parts) < 2 {
		f.Result, f.Advice = findingWarn, "its version cannot be read"
		return f
	}
	major, errMajor := strconv.Atoi(parts[0])
	minor, errMinor := strconv.Atoi(parts[1])
	if errMajor != nil || errMinor != nil || major < minServerMajor || major == minServerMajor && minor < minServerMinor {
		f.Result = findingFail
		f.Advice = fmt.Sprintf("retries of webhooks need the message scheduler: upgrade to %d.%d or later", minServerMajor, minServerMinor)
	}
	return f
}

// checkPayload checks the largest message.
func checkPayload(b *bus.Bus) Finding {
	f := Finding{Check: "max_payload", Result: findingOK, Says: fmt.Sprintf("messages up to %d bytes", b.MaxPayload())}
	if b.MaxPayload() < wantedPayload {
		f.Result = findingWarn
		f.Advice = "large batches of embeddings will not fit; set max_payload: 8MB in the server's configuration"
	}
	return f
}

// checkAssets compares streams, consumers and buckets with the catalogue.
func checkAssets(ctx context.Context, b *bus.Bus) []Finding {
	steps, err := provision.Plan(ctx, b, provision.Default())
	if err != nil {
		return []Finding{{"jetstream", findingFail, err.Error(), "switch JetStream on (nats-server --jetstream); on a closed bus only admin sees all of it: --nkey deploy/installation/users/admin.nk"}}
	}
	var found []Finding
	for _, s := range steps {
		check := s.Kind + " " + s.Name
		switch s.Action {
		case provision.ActionCreate:
			found = append(found, Finding{check, findingFail, "is not there", "run: mlsdmctl provision"})
		case provision.ActionUpdate:
			found = append(found, Finding{check, findingWarn, "differs from the defaults: " + strings.Join(s.Changes, ", "), "if that is not meant, run: mlsdmctl provision"})
		}
	}
	if len(found) == 0 {
		found = append(found, Finding{"assets", findingOK, fmt.Sprintf("all %d streams, consumers and buckets are there", len(steps)), ""})
	}
	return found
}

// checkService asks a service who it is.
func checkService(ctx context.Context, b *bus.Bus, name string) Finding {
	check := "service " + name
	reply, err := b.Request(ctx, bus.Msg{Subject: "$SRV.INFO." + events.MicroName(name)})
	if err != nil {
		return Finding{check, findingFail, "does not answer", "start it, and look at its log and at /readyz of its admin listener"}
	}
	var info struct {
		Version   string            `json:"version"`
		Endpoints []json.RawMessage `json:"endpoints"`
	}
	if err := json.Unmarshal(reply.Body, &info); err != nil {
		return Finding{check, findingWarn, "answers something that is not the micro protocol", ""}
	}
	f := Finding{check, findingOK, fmt.Sprintf("version %s, %d endpoints", info.Version, len(info.Endpoints)), ""}
	if version.SemVer(version.String()) != info.Version {
		f.Result, f.Advice = findingWarn, "mlsdmctl is "+version.String()+": use the same version of both"
	}
	return f
}

// checkBacklog looks at what waits and at what was given up.
func checkBacklog(ctx context.Context, b *bus.Bus) []Finding {
	var found []Finding
	for _, c := range events.Consumers() {
		pending, unacked, err := b.Backlog(ctx, b.Subjects().StreamName(c.Stream), c.Name)
		if err != nil {
			continue // said already: it is not there
		}
		f := Finding{"backlog " + c.Name, findingOK, fmt.Sprintf("%d waiting, %d in work", pending, unacked), ""}
		const many = 10000
		if pending > many {
			f.Result, f.Advice = findingWarn, "add replicas of "+c.UsedBy+", or see what holds it up"
		}
		found = append(found, f)
	}
	dead, err := b.StreamMessages(ctx, b.Subjects().StreamName(events.StreamDeadLetters))
	if err == nil {
		f := Finding{"dead letters", findingOK, strconv.FormatUint(dead, 10), ""}
		if dead > 0 {
			f.Result, f.Advice = findingWarn, "look at them: nats stream view "+b.Subjects().StreamName(events.StreamDeadLetters)
		}
		found = append(found, f)
	}
	return found
}

// printFindings prints them for a person or a machine.
func printFindings(c *connection, t terminal, found []Finding) error {
	if c.JSON {
		return printJSON(t, map[string]any{"findings": found})
	}
	for _, f := range found {
		mark := map[string]string{findingOK: "ok  ", findingWarn: "WARN", findingFail: "FAIL"}[f.Result]
		if _, err := fmt.Fprintf(t.out, "%s  %-28s %s\n", mark, f.Check, strings.ReplaceAll(f.Says, "\n", "\n"+strings.Repeat(" ", 35))); err != nil {
			return err
		}
		if f.Advice != "" {
			if _, err := fmt.Fprintf(t.out, "      %-28s → %s\n", "", f.Advice); err != nil {
				return err
			}
		}
	}
	return nil
}
