package main

import (
	"context"
	"strings"
	"time"
)

// call asks one interactive operation.
func (c connection) call(ctx context.Context, t terminal, operation string, req, resp any) error {
	cl, err := c.client(ctx, t)
	if err != nil {
		return err
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(ctx, max(c.Timeout, time.Millisecond))
	defer cancel()
	return hint(cl.Call(ctx, operation, req, resp))
}

// printable takes control characters out of what others wrote, so that it cannot play with the terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' && r != '\t' || r >= 0x7f && r <= 0x9f {
			return -1
		}
		return r
	}, s)
}
