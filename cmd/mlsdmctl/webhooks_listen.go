package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/neuron7x/mlsdm-integrations/cmd/mlsdmctl/internal/hookcheck"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/pkg/webhook"
)

// webhooksListenCommand is a receiver for tests.
type webhooksListenCommand struct {
	Addr      string `default:"127.0.0.1:8787" help:"Where to listen; port 0 is any free one."`
	Status    int    `default:"200" help:"What valid webhooks are answered, 200 to 599."`
	FailFirst int    `placeholder:"N" help:"Answer 503 to the first N attempts of each webhook, so that its retries can be seen."`

	webhookKeys
}

// Bounds of the receiver.
const (
	maxListenBody  = 8 << 20 // bytes of a body that are read
	maxShownBody   = 16 << 10
	maxShownLines  = 200
	maxShownDepth  = 100    // each level indents what is in it, so deep ones grow a lot
	maxListenTries = 10_000 // webhooks whose attempts are counted
	listenStop     = 2 * time.Second
)

// Help shows examples.
func (webhooksListenCommand) Help() string {
	return "A receiver on this machine that verifies each webhook and shows it, whatever the path. One that is not valid is answered " +
		"400 or 401, and what is wrong with it is said. Without a key it makes a secret and says it.\n\n" +
		"  mlsdmctl webhooks listen\n" +
		"  mlsdmctl webhooks listen --secret-env WEBHOOK_SECRET --fail-first 2\n" +
		"  mlsdmctl webhooks listen --public-key whpk_… --addr 127.0.0.1:9000 --json | jq .type\n\n" +
		"The dispatcher posts to this machine only where WEBHOOK_ALLOW_LOOPBACK is set."
}

// Run implements the command.
func (l webhooksListenCommand) Run(ctx context.Context, c *connection, t terminal) error {
	if l.Status < 200 || l.Status > 599 {
		return fmt.Errorf("--status is %d; it must be 200 to 599", l.Status)
	}
	if l.FailFirst < 0 {
		return fmt.Errorf("--fail-first is %d; it must not be negative", l.FailFirst)
	}
	keys, err := l.read(t)
	if errors.Is(err, errNoKeys) {
		made := webhook.GenerateSecret()
		fmt.Fprintf(t.err, "no key was given; sign with this one: %s\n", made)
		keys, err = []hookcheck.Key{{Name: "the secret made here", Text: secret.NewValue(made)}}, nil
	}
	if err != nil {
		return err
	}
	checker, err := hookcheck.New(keys)
	if err != nil {
		return err
	}
	var lc net.ListenConfig
	socket, err := lc.Listen(ctx, "tcp", l.Addr)
	if err != nil {
		return err
	}
	r := &hookReceiver{checker: checker, status: l.Status, failFirst: l.FailFirst, json: c.JSON, t: t, tries: map[string]int{}}
	server := &http.Server{
		Handler: r, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 30 * time.Second, WriteTimeout: 30 * time.Second,
		MaxHeaderBytes: 64 << 10, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(socket) }()
	fmt.Fprintf(t.err, "listening on http://%s/; Ctrl-C ends it\n", socket.Addr())
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
		stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), listenStop)
		defer cancel()
		if server.Shutdown(stop) != nil { // someone is still sending
			return server.Close()
		}
		return nil
	}
}

// hookReceiver verifies and shows what it is sent.
type hookReceiver struct {
	checker           *hookcheck.Checker
	status, failFirst int
	json              bool
	t                 terminal

	mu    sync.Mutex     // one webhook is shown after the other
	tries map[string]int // attempts of each webhook
}

// receivedHook is what is shown of a request.
type receivedHook struct {
	At      time.Time `json:"at"`
	Method  string    `json:"method"`
	Path    string    `json:"path"`
	Status  int       `json:"status"`
	Attempt int       `json:"attempt,omitempty"`
	Type    string    `json:"type,omitempty"`

	hookcheck.Verdict

	ContentType string `json:"content_type,omitempty"`
	BodyBytes   int    `json:"body_bytes"`
	Body        any    `json:"body,omitempty"` // JSON as it is, other text as a string

	raw []byte
}

// ServeHTTP implements [http.Handler].
func (r *hookReceiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	got := receivedHook{At: time.Now(), Method: req.Method, Path: req.URL.Path, ContentType: req.Header.Get("Content-Type")}
	body, err := io.ReadAll(http.MaxBytesReader(w, req.Body, maxListenBody))
	if err != nil {
		got.Status, got.Verdict = http.StatusBadRequest, hookcheck.Verdict{Problem: "incomplete", Says: "the body cannot be read: " + err.Error()}
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			got.Status, got.Verdict = http.StatusRequestEntityTooLarge, hookcheck.Verdict{Problem: "too_large", Says: fmt.Sprintf("the body has more than %d bytes", maxListenBody)}
		}
	} else {
		got.Verdict = r.checker.Check(req.Header, body, got.At)
		got.setBody(body)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case got.Status != 0:
	case !got.Valid:
		got.Status = webhook.Status(got.Err)
	default:
		if got.Attempt = r.count(got.ID); got.Attempt <= r.failFirst {
			got.Status = http.StatusServiceUnavailable
		} else {
			got.Status = r.status
		}
	}
	w.WriteHeader(got.Status)
	if err := r.show(got); err != nil {
		fmt.Fprintf(r.t.err, "mlsdmctl: %v\n", err)
	}
}

// count counts an attempt. Only those who have a key get here, and of them it remembers only so many.
func (r *hookReceiver) count(id string) int {
	if len(r.tries) >= maxListenTries && r.tries[id] == 0 {
		clear(r.tries)
	}
	r.tries[id]++
	return r.tries[id]
}

// setBody looks into the body.
func (h *receivedHook) setBody(body []byte) {
	h.raw, h.BodyBytes = body, len(body)
	switch {
	case json.Valid(body):
		h.Body = json.RawMessage(body)
	case utf8.Valid(body) && len(body) > 0:
		h.Body = string(body)
	}
	var event struct {
		Type      string `json:"type"`
		EventType string `json:"event_type"` // of the Python client
	}
	if json.Unmarshal(body, &event) == nil {
		h.Type = cmp.Or(event.Type, event.EventType)
	}
}

// show prints a webhook for a person or a machine.
func (r *hookReceiver) show(h receivedHook) error {
	if r.json {
		return printJSON(r.t, h)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s  %s %s  ", h.At.Local().Format("15:04:05.000"), h.Method, shown(h.Path))
	if h.Valid {
		fmt.Fprintf(&b, "valid: %s by %s  → %d\n", h.Version, shown(h.Key), h.Status)
		fmt.Fprintf(&b, "  %s  %s  attempt %d  sent %s ago\n", shown(h.Type), shown(h.ID), h.Attempt, h.At.Sub(h.Timestamp).Round(time.Second))
	} else {
		fmt.Fprintf(&b, "NOT VALID: %s  → %d\n", shown(h.Says), h.Status)
		for _, hint := range h.Hints {
			fmt.Fprintf(&b, "  → %s\n", shown(hint))
		}
		fmt.Fprintf(&b, "  %s\n", shown(h.ID))
	}
	fmt.Fprintf(&b, "  X-Webhook-Signature %s\n  %d bytes %s\n", cmp.Or(h.BodySignature, hookcheck.BodyAbsent), h.BodyBytes, shown(h.ContentType))
	writeBody(&b, h.raw)
	b.WriteByte('\n')
	_, err := io.WriteString(r.t.out, b.String())
	return err
}

// writeBody writes a body, its JSON indented, and no more of it than fits a terminal.
func writeBody(b *strings.Builder, body []byte) {
	var indented bytes.Buffer
	if len(body) <= maxShownBody && depth(body) <= maxShownDepth && json.Indent(&indented, body, "", "  ") == nil {
		body = indented.Bytes()
	}
	if !utf8.Valid(body) {
		b.WriteString("    (not text)\n")
		return
	}
	text := printable(string(body[:min(len(body), maxShownBody)]))
	lines := 0
	for line := range strings.Lines(strings.ToValidUTF8(text, "")) {
		if lines++; lines > maxShownLines {
			break
		}
		b.WriteString("    " + strings.TrimRight(line, "\n") + "\n")
	}
	if lines > maxShownLines || len(body) > maxShownBody {
		b.WriteString("    … and more\n")
	}
}

// depth returns how deep the JSON in body is nested.
func depth(body []byte) int {
	deepest, now := 0, 0
	text, escaped := false, false
	for _, c := range body {
		switch {
		case escaped:
			escaped = false
		case text:
			escaped, text = c == '\\', c != '"'
		case c == '"':
			text = true
		case c == '{', c == '[':
			now++
			deepest = max(deepest, now)
		case c == '}', c == ']':
			now--
		}
	}
	return deepest
}
