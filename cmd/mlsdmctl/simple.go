package main

import (
	"encoding/json"
	"fmt"
	"runtime"

	"github.com/neuron7x/mlsdm-integrations/internal/version"
)

// versionCommand prints the version.
type versionCommand struct{}

// Run implements the command.
func (versionCommand) Run(c *connection, t terminal) error {
	if c.JSON {
		return printJSON(t, map[string]string{"version": version.String(), "go": runtime.Version(), "platform": runtime.GOOS + "/" + runtime.GOARCH})
	}
	_, err := fmt.Fprintf(t.out, "mlsdmctl %s (%s, %s/%s)\n", version.String(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}

// printJSON prints one value for machines.
func printJSON(t terminal, value any) error {
	enc := json.NewEncoder(t.out)
	enc.SetEscapeHTML(false)
	return enc.Encode(value)
}
