package main

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/neuron7x/mlsdm-integrations/cmd/mlsdmctl/internal/declared"
	"github.com/neuron7x/mlsdm-integrations/pkg/client"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// fieldsOf lists what a specification says beside its id, a field an entry.
func fieldsOf(spec events.EndpointSpec) ([]declared.Change, error) {
	return declared.Diff(events.EndpointSpec{ID: spec.ID}, spec)
}

// jsonText writes a value of JSON for a person, in one line.
func jsonText(value json.RawMessage) string {
	const most = 120
	if value == nil {
		return "(none)"
	}
	var text string
	if json.Unmarshal(value, &text) == nil {
		if text == "" {
			return `""`
		}
		return printable(oneLine(text, most))
	}
	return printable(oneLine(string(value), most))
}

// printChanges prints fields with their old and new values. Of something new there are no old ones.
func printChanges(out io.Writer, indent string, changes []declared.Change, fresh bool) error {
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	for _, change := range changes {
		if fresh {
			fmt.Fprintf(w, "%s%s\t%s\n", indent, printable(change.Field), jsonText(change.To))
		} else {
			fmt.Fprintf(w, "%s%s\t%s → %s\n", indent, printable(change.Field), jsonText(change.From), jsonText(change.To))
		}
	}
	return w.Flush()
}

// changeReport is a change of one endpoint for machines.
type changeReport struct {
	DryRun   bool              `json:"dry_run"`
	Endpoint events.Endpoint   `json:"endpoint"`
	Changes  []declared.Change `json:"changes"`
	Secrets  []toldSecret      `json:"secrets,omitempty"`
}

// report prints what became of one endpoint, and the secrets that were generated for it. One that is new was nil.
func report(c *connection, t terminal, sink *secretSink, did string, dryRun bool, was *events.EndpointSpec, change client.EndpointChange) error {
	fresh := was == nil
	if fresh {
		was = &events.EndpointSpec{ID: change.Endpoint.ID}
	}
	changes, err := declared.Diff(*was, change.Endpoint.EndpointSpec)
	if err != nil {
		return err
	}
	told, err := sink.take(change.Endpoint.ID, change.Secrets)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(t, changeReport{DryRun: dryRun, Endpoint: change.Endpoint, Changes: append([]declared.Change{}, changes...), Secrets: told})
	}
	fmt.Fprintf(t.out, "%s %s\n", printable(change.Endpoint.ID), did)
	if err := printChanges(t.out, "  ", changes, fresh); err != nil {
		return err
	}
	for _, key := range change.Endpoint.Keys {
		if key.PublicKey != "" { // the receiver needs it
			fmt.Fprintf(t.out, "  key  %s\n", printable(describeKey(key)))
		}
	}
	return sink.print(t, told)
}
