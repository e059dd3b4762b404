package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
)

// confirm asks a question at the terminal. What is no yes gives the error otherwise.
func confirm(ctx context.Context, t terminal, question string, otherwise error) error {
	fmt.Fprint(t.err, question+" [y/N] ")
	type answer struct {
		text string
		err  error
	}
	answered := make(chan answer, 1)
	go func() { // reading heeds no context; when that ends, so does the program
		text, err := bufio.NewReader(io.LimitReader(t.in, 64)).ReadString('\n')
		answered <- answer{text, err}
	}()
	select {
	case <-ctx.Done():
		return otherwise
	case a := <-answered:
		if a.err != nil && !errors.Is(a.err, io.EOF) {
			return fmt.Errorf("the standard input: %w", a.err)
		}
		if a.err != nil { // no line: nobody pressed enter
			fmt.Fprintln(t.err)
		}
		switch strings.ToLower(strings.TrimSpace(a.text)) {
		case "y", "yes":
			return nil
		default:
			return otherwise
		}
	}
}

// interactive reports whether a stream is a terminal, or looks like one. The null device, which looks like one too, is none.
func interactive(stream any) bool {
	f, ok := stream.(interface{ Stat() (fs.FileInfo, error) })
	if !ok {
		return false
	}
	info, err := f.Stat()
	if err != nil || info.Mode()&fs.ModeCharDevice == 0 {
		return false
	}
	null, err := os.Stat(os.DevNull)
	return err != nil || !os.SameFile(info, null)
}
