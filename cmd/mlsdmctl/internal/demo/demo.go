// Package demo makes `mlsdmctl up --demo` worth watching: a webhook receiver that verifies what it gets, a stand-in for
// GitHub, and a small story in which CI breaks, is noticed, and recovers.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/fakegithub"
)

// Repository is the one that the story is about.
const Repository = "example/memory-engine"

// Demo holds what the story needs beside the stack. Make one with [New].
type Demo struct {
	out      *printer
	receiver *Receiver
	github   *fakegithub.Server
	server   *http.Server
	apiURL   string

	mu        sync.Mutex
	delivered map[string]int // webhooks that were accepted, by event type
	changed   chan struct{}  // closed and replaced whenever delivered changes
}

// New starts the receiver and the stand-in for GitHub, both on loopback.
func New(ctx context.Context, out io.Writer) (*Demo, error) {
	github, err := fakegithub.New(fakegithub.Options{Repository: Repository})
	if err != nil {
		return nil, err
	}
	github.AddRun("success", func(r *fakegithub.Run) { // the world was in order once
		r.CreatedAt = r.CreatedAt.Add(-time.Hour)
		r.StartedAt, r.UpdatedAt = r.CreatedAt, r.CreatedAt.Add(5*time.Minute)
	})
	d := &Demo{out: &printer{w: out}, github: github, delivered: map[string]int{}, changed: make(chan struct{})}
	if d.receiver, err = StartReceiver(ctx, d.received); err != nil {
		return nil, err
	}
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, errors.Join(fmt.Errorf("the demo's stand-in for GitHub: %w", err), d.receiver.Close(ctx))
	}
	d.apiURL = "http://" + listener.Addr().String()
	d.server = &http.Server{Handler: github, ReadHeaderTimeout: 5 * time.Second}
	go func() {
		if err := d.server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			d.out.line("demo", "the stand-in for GitHub stopped: "+err.Error())
		}
	}()
	return d, nil
}

// Close stops both.
func (d *Demo) Close(ctx context.Context) error {
	return errors.Join(d.receiver.Close(ctx), d.server.Shutdown(ctx))
}

// Lookup returns an environment in which the stack watches the demo's repository and posts to the demo's receiver. These
// settings win over the operator's own: a demo must not touch a real repository or a real receiver.
func (d *Demo) Lookup(next func(string) (string, bool)) func(string) (string, bool) {
	settings := map[string]string{
		"GITHUB_API_URL": d.apiURL, "GITHUB_REPOSITORY": Repository, "GITHUB_TOKEN": "demo-token", "CI_BRANCH": "main", "CI_WORKFLOW": "ci.yml",
		"CI_FAILURE_THRESHOLD": "3", "WEBHOOK_URL": d.receiver.URL(), "WEBHOOK_SECRET": d.receiver.Secret().Reveal(), "WEBHOOK_EVENTS": ">",
	}
	return func(name string) (string, bool) {
		if value, ok := settings[name]; ok {
			return value, true
		}
		if next == nil {
			return "", false
		}
		return next(name)
	}
}

// received prints one webhook and remembers it.
func (d *Demo) received(got Received) {
	switch {
	case got.Err != nil:
		d.out.line("webhook", fmt.Sprintf("refused: %v", got.Err))
		return
	case got.Status >= http.StatusMultipleChoices:
		d.out.line("webhook", fmt.Sprintf("%-26s signature verified, answered %d on purpose; it will come again", got.Type, got.Status))
		return
	}
	text := fmt.Sprintf("%-26s signature verified", got.Type)
	if got.Try > 1 {
		text += fmt.Sprintf(", delivered at try %d under the same webhook-id", got.Try)
	}
	d.out.line("webhook", text)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.delivered[got.Type]++
	close(d.changed)
	d.changed = make(chan struct{})
}

// awaitDelivered waits until a webhook of the type has been accepted.
func (d *Demo) awaitDelivered(ctx context.Context, eventType string) error {
	for {
		d.mu.Lock()
		n, changed := d.delivered[eventType], d.changed
		d.mu.Unlock()
		if n > 0 {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("no webhook for %s: %w", eventType, ctx.Err())
		}
	}
}

// printer writes whole lines, one at a time.
type printer struct {
	mu sync.Mutex
	w  io.Writer
}

// line prints one line of the story.
func (p *printer) line(who, text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, text)
	fmt.Fprintf(p.w, "%s  %-8s %s\n", time.Now().Format("15:04:05.000"), who, strings.TrimRight(text, " "))
}
