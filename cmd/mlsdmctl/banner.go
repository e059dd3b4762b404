package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/neuron7x/mlsdm-integrations/cmd/mlsdmctl/internal/stack"
	"github.com/neuron7x/mlsdm-integrations/internal/version"
)

// printBanner says what runs where, and three things to try.
func printBanner(out io.Writer, s *stack.Stack, dataDir string, demo bool) {
	fmt.Fprintf(out, "\nMLSDM Integrations %s: everything in one process\n\n", version.String())
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintf(w, "  NATS\t%s\tstreams in %s\n", s.URL(), dataDir)
	if url := s.AdminURL(); url != "" {
		fmt.Fprintf(w, "  admin\t%s/readyz\t/livez, /metrics\n", url)
	}
	fmt.Fprintf(w, "  services\t%s\t\n", strings.Join(s.Services(), ", "))
	w.Flush() //nolint:errcheck // a terminal that is gone: there is nobody to tell

	server := ""
	if !strings.HasSuffix(s.URL(), ":4222") {
		server = " --server " + s.URL()
	}
	fmt.Fprintf(out, "\nTry in another terminal:\n\n"+
		"  %[2]s%[1]s generate \"hello\"\n"+
		"  %[2]s%[1]s similarity \"reset my password\" \"I forgot my login\"\n"+
		"  nats%[1]s req mlsdm.embed '{\"input\":\"hello\"}'\n"+
		"  nats%[1]s pub mlsdm.events.custom.deploy '{\"version\":\"1.2.3\"}'\n\n", server, self())
	if demo {
		fmt.Fprint(out, "The demo tells a small story now; Ctrl-C stops everything.\n\n")
		return
	}
	fmt.Fprint(out, "Ctrl-C stops everything.\n\n")
}

// self is how this program is called again: as it was called, by `go run` too, which builds it for this once.
func self() string {
	path, err := os.Executable()
	if err == nil && strings.Contains(filepath.ToSlash(path), "/go-build") {
		return "go run ./cmd/mlsdmctl"
	}
	return os.Args[0]
}
