package main

import (
	"errors"
	"fmt"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/neuron7x/mlsdm-integrations/cmd/mlsdmctl/internal/hookcheck"
	"github.com/neuron7x/mlsdm-integrations/cmd/mlsdmctl/internal/rawrequest"
)

// webhooksVerifyCommand checks one webhook that was saved.
type webhooksVerifyCommand struct {
	File       string `arg:"" help:"File that holds the request as it came: request line (or not), headers, blank line, body; - is the standard input."`
	Body       string `placeholder:"FILE" help:"File that holds the body, where it was saved apart from the headers."`
	At         string `placeholder:"TIME" help:"Check as of this time, like 2026-01-02T15:04:05Z or Unix seconds; without it, now."`
	IgnoreTime bool   `help:"Check as of the time that the webhook itself names."`

	webhookKeys
}

// maxSavedRequest bounds a request that is read from a file, in bytes.
const maxSavedRequest = 16 << 20

// errNotValid makes the program exit with 1 after the verdict has been printed.
var errNotValid = errors.New("the webhook is not valid; see above")

// Help shows examples.
func (webhooksVerifyCommand) Help() string {
	return "It says which key matched, or what exactly is wrong, and exits with 1 if the webhook is not valid.\n\n" +
		"  mlsdmctl webhooks verify request.txt --secret-env WEBHOOK_SECRET\n" +
		"  mlsdmctl webhooks verify headers.txt --body body.json --secret-file key.txt --ignore-time\n" +
		"  pbpaste | mlsdmctl webhooks verify - --public-key whpk_… --at 2026-01-02T15:04:05Z"
}

// savedVerdict is what is printed about a saved webhook.
type savedVerdict struct {
	hookcheck.Verdict

	BodyBytes int      `json:"body_bytes"`
	Notes     []string `json:"notes,omitempty"`
}

// Run implements the command.
func (v webhooksVerifyCommand) Run(c *connection, t terminal) error {
	keys, err := v.read(t)
	if err != nil {
		return err
	}
	checker, err := hookcheck.New(keys)
	if err != nil {
		return err
	}
	request, err := v.request(t)
	if err != nil {
		return err
	}
	now, err := v.when(request)
	if err != nil {
		return err
	}
	verdict := savedVerdict{checker.Check(request.Header, request.Body, now), len(request.Body), request.Notes}
	if c.JSON {
		err = printJSON(t, verdict)
	} else {
		err = verdict.print(t)
	}
	if err == nil && !verdict.Valid {
		return errNotValid
	}
	return err
}

// request reads the request.
func (v webhooksVerifyCommand) request(t terminal) (rawrequest.Request, error) {
	data, err := readBounded(v.File, maxSavedRequest, t)
	if err != nil {
		return rawrequest.Request{}, err
	}
	request, err := rawrequest.Parse(data)
	if err != nil {
		return request, fmt.Errorf("%s: %w", v.File, err)
	}
	if v.Body != "" {
		if request.Body, err = readBounded(v.Body, maxSavedRequest, t); err != nil {
			return request, err
		}
	}
	if request.Body == nil {
		request.Notes = append(request.Notes, "there is no body in it: give it with --body FILE")
	}
	request.Fit()
	return request, nil
}

// when returns the time to check as of.
func (v webhooksVerifyCommand) when(request rawrequest.Request) (time.Time, error) {
	switch {
	case v.IgnoreTime && v.At != "":
		return time.Time{}, errors.New("--at and --ignore-time exclude each other: leave one out")
	case v.IgnoreTime:
		if at, ok := hookcheck.Timestamp(request.Header); ok {
			return at, nil
		}
	case v.At != "":
		if seconds, err := strconv.ParseInt(v.At, 10, 64); err == nil {
			return time.Unix(seconds, 0), nil
		}
		at, err := time.Parse(time.RFC3339, v.At)
		if err != nil {
			return at, fmt.Errorf("--at is %q; it must be like 2026-01-02T15:04:05Z, or Unix seconds", v.At)
		}
		return at, nil
	}
	return time.Now(), nil
}

// print prints the verdict for a person.
func (v savedVerdict) print(t terminal) error {
	w := tabwriter.NewWriter(t.out, 0, 4, 2, ' ', 0)
	if v.Valid {
		fmt.Fprintf(w, "VALID\t%s by %s\n", v.Version, printable(v.Key))
	} else {
		fmt.Fprintf(w, "NOT VALID\t%s\n", shown(v.Says))
	}
	for _, hint := range v.Hints {
		fmt.Fprintf(w, "\t→ %s\n", shown(hint))
	}
	fmt.Fprintf(w, "webhook-id\t%s\n", shown(v.ID))
	if !v.Timestamp.IsZero() {
		fmt.Fprintf(w, "webhook-timestamp\t%s\n", v.Timestamp.Format(time.RFC3339))
	}
	fmt.Fprintf(w, "X-Webhook-Signature\t%s\n", v.BodySignature)
	fmt.Fprintf(w, "body\t%d bytes\n", v.BodyBytes)
	for _, note := range v.Notes {
		fmt.Fprintf(w, "note\t%s\n", shown(note))
	}
	return w.Flush()
}

// shown makes one short line of what a stranger wrote.
func shown(s string) string {
	const longest = 300
	return oneLine(printable(s), longest)
}
