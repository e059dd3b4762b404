// Package version says which build of the project is running.
package version

import (
	"runtime/debug"
	"strings"
)

// Version is what the linker wrote with
// -X github.com/neuron7x/mlsdm-integrations/internal/version.Version=v1.2.3. It is empty in a build
// without that flag; read it through String, which then asks the Go toolchain.
//
//nolint:gochecknoglobals // The linker can write to nothing else, and no code does.
var Version string

// String returns the version of this build: what the linker wrote, or else the module's version, or
// else the commit ("devel+1a2b3c4d5e6f", with ".dirty" if the tree had changes), or "devel". It is
// never empty.
func String() string {
	if Version != "" {
		return Version
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return devel
	}
	return fromBuildInfo(info)
}

const (
	devel = "devel"
	// shortCommit is how much of a commit hash people compare.
	shortCommit = 12
)

func fromBuildInfo(info *debug.BuildInfo) string {
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	var commit, suffix string
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			commit = s.Value
		case "vcs.modified":
			if s.Value == "true" {
				suffix = ".dirty"
			}
		}
	}
	if commit == "" {
		return devel
	}
	return strings.Join([]string{devel, "+", commit[:min(len(commit), shortCommit)], suffix}, "")
}
