package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// modelsCommand lists the models.
type modelsCommand struct {
	Provider string `arg:"" optional:"" help:"Only those of this provider."`
}

// Help shows examples.
func (modelsCommand) Help() string {
	return "  mlsdmctl models\n  mlsdmctl models ollama\n  mlsdmctl models --json | jq -r '.data[] | select(.available) | .id'"
}

// Run implements the command.
func (m modelsCommand) Run(ctx context.Context, c *connection, t terminal) error {
	var list events.ModelsList
	if err := c.call(ctx, t, events.OpModels, events.ModelsRequest{Provider: m.Provider}, &list); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(t, list)
	}
	w := tabwriter.NewWriter(t.out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "MODEL\tNOW\tPRICE OF A MILLION TOKENS\tLEFT")
	for _, model := range list.Data {
		name := printable(model.ID)
		if model.Default {
			name += " (default)"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", name, readiness(model), priceOf(model.Price), leftOf(model.Limits))
		for i, tier := range model.Targets {
			fmt.Fprintf(w, "  %s\t\t\t\n", tierOf(i, tier))
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, provider := range slices.Sorted(maps.Keys(list.Errors)) {
		fmt.Fprintf(t.err, "%s does not tell its models: %s\n", printable(provider), printable(list.Errors[provider]))
	}
	return nil
}

// readiness says whether a model can be asked.
func readiness(m events.Model) string {
	if m.Available {
		return "yes"
	}
	why := "no: " + printable(m.Reason)
	if m.RetryAfterMS > 0 {
		why += ", for " + (time.Duration(m.RetryAfterMS) * time.Millisecond).Round(time.Second).String()
	}
	return why
}

// priceOf says what a model costs.
func priceOf(p *events.ModelPrice) string {
	if p == nil {
		return "-"
	}
	return strconv.FormatFloat(p.Input, 'g', 6, 64) + " in, " + strconv.FormatFloat(p.Output, 'g', 6, 64) + " out"
}

// leftOf says what the limits have left.
func leftOf(limits []events.ModelLimit) string {
	if len(limits) == 0 {
		return "-"
	}
	parts := make([]string, 0, len(limits))
	for _, l := range limits {
		parts = append(parts, fmt.Sprintf("%.6g of %.6g %s", l.Left, l.Limit, printable(l.What)))
	}
	return strings.Join(parts, ", ")
}

// tierOf says what an alias tries, and when.
func tierOf(i int, tier []events.ModelTarget) string {
	parts := make([]string, 0, len(tier))
	for _, target := range tier {
		part := printable(target.Model)
		if len(tier) > 1 {
			part += " x" + strconv.Itoa(target.Weight)
		}
		parts = append(parts, part)
	}
	first := "first "
	if i > 0 {
		first = "then  "
	}
	return first + strings.Join(parts, ", ")
}
