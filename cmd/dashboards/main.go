// Command dashboards writes the dashboards of Grafana, deploy/grafana/dashboards: a dashboard is a list of panels here, and hundreds of lines of
// JSON there.
//
// It runs at the root of the repository. With -check it writes nothing, and fails if a dashboard is stale.
package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	check := flag.Bool("check", false, "write nothing; fail if a dashboard is stale")
	flag.Parse()
	if err := run(filepath.Join("deploy", "grafana", "dashboards"), *check); err != nil {
		fmt.Fprintln(os.Stderr, "dashboards:", err)
		os.Exit(1)
	}
}

// run writes every dashboard that is not what it has to be, or says so.
func run(dir string, check bool) error {
	for _, b := range boards() {
		want, err := encode(b)
		if err != nil {
			return err
		}
		name := filepath.Join(dir, b.id+".json")
		have, err := os.ReadFile(name)
		switch {
		case err == nil && bytes.Equal(have, want):
			continue
		case check:
			return fmt.Errorf("%s is stale: run `make generate`", name)
		}
		fmt.Fprintln(os.Stdout, name)
		if err := os.MkdirAll(dir, 0o750); err != nil {
			return err
		}
		if err := os.WriteFile(name, want, 0o644); err != nil { //nolint:gosec // source files are for everyone to read
			return err
		}
	}
	return nil
}

// encode returns the JSON of a dashboard.
func encode(b board) ([]byte, error) {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false) // expressions are for people to read too
	e.SetIndent("", " ")
	if err := e.Encode(b.grafana()); err != nil {
		return nil, fmt.Errorf("%s: %w", b.id, err)
	}
	return out.Bytes(), nil
}
