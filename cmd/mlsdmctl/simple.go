package main

import (
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"strings"
	"unicode/utf8"

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

// printJSON prints one value for machines. Characters that a terminal may obey are escaped, in case a person looks at it; bytes
// that are no UTF-8, which JSON that is passed on may have, are replaced.
func printJSON(t terminal, value any) error {
	var text strings.Builder
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(value); err != nil {
		return err
	}
	_, err := io.WriteString(t.out, escapeControls(text.String()))
	return err
}

// escapeControls escapes, in JSON, the control characters that it allows in a string as they are.
func escapeControls(text string) string {
	control := func(r rune) bool { return r >= 0x7f && r <= 0x9f }
	if strings.IndexFunc(text, control) < 0 && utf8.ValidString(text) {
		return text
	}
	var escaped strings.Builder
	for _, r := range text {
		if control(r) {
			fmt.Fprintf(&escaped, "\\u%04x", r)
		} else {
			escaped.WriteRune(r)
		}
	}
	return escaped.String()
}
