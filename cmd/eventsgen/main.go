// Command eventsgen writes everything that is generated from the catalogue of package events and from the settings of the
// services: JSON Schemas, the AsyncAPI document, the tables of docs/protocol.md, docs/configuration.md, and the keys that
// the configuration file may hold.
//
// It runs at the root of the repository. With -check it writes nothing, names the files that are stale and fails.
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

func main() {
	check := flag.Bool("check", false, "write nothing; fail if a generated file is stale")
	flag.Parse()
	if err := run(".", *check, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "eventsgen:", err)
		os.Exit(1)
	}
}

// run generates everything below root and says on out which files changed.
func run(root string, check bool, out io.Writer) error {
	files, err := generate(root)
	if err != nil {
		return err
	}
	stale, err := compare(root, files)
	if err != nil {
		return err
	}
	for _, name := range stale {
		fmt.Fprintln(out, name)
	}
	if check && len(stale) > 0 {
		return fmt.Errorf("%d generated files are stale: run `make generate`", len(stale))
	}
	if check {
		return nil
	}
	for _, name := range stale {
		if err := write(filepath.Join(root, name), files[name]); err != nil {
			return err
		}
	}
	return nil
}

// generate returns what the generated files have to be, by their path below root.
func generate(root string) (map[string][]byte, error) {
	files := map[string][]byte{}
	for _, part := range []func(root string, files map[string][]byte) error{schemas, asyncAPI, protocol, configuration, known} {
		if err := part(root, files); err != nil {
			return nil, err
		}
	}
	return files, nil
}

// compare returns the files that are not what they have to be, and the schemas that should not be there at all.
func compare(root string, files map[string][]byte) ([]string, error) {
	var stale []string
	for name, want := range files {
		have, err := os.ReadFile(filepath.Join(root, name))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		if err != nil || !bytes.Equal(have, want) {
			stale = append(stale, name)
		}
	}
	there, err := filepath.Glob(filepath.Join(root, schemaDir, "*.json"))
	if err != nil {
		return nil, err
	}
	for _, file := range there {
		name, err := filepath.Rel(root, file)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(slices.Collect(maps.Keys(files)), filepath.ToSlash(name)) {
			stale = append(stale, filepath.ToSlash(name))
		}
	}
	slices.Sort(stale)
	return stale, nil
}

// write writes a file, or removes it when nothing belongs there.
func write(name string, content []byte) error {
	if content == nil {
		return os.Remove(name)
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o750); err != nil {
		return err
	}
	return os.WriteFile(name, content, 0o644) //nolint:gosec // source files are for everyone to read
}
