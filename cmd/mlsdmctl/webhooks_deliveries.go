package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/neuron7x/mlsdm-integrations/pkg/client"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// webhooksDeliveriesCommand is the group of commands about deliveries.
type webhooksDeliveriesCommand struct {
	List   deliveriesListCommand   `cmd:"" help:"List attempts to deliver webhooks, or dead letters."`
	Get    deliveriesGetCommand    `cmd:"" help:"Show one delivery with all its attempts."`
	Replay deliveriesReplayCommand `cmd:"" help:"Deliver dead letters, or events, again."`
}

// deliveriesFilter is the flags that choose deliveries.
type deliveriesFilter struct {
	Endpoint string `placeholder:"ID" help:"Those to this endpoint."`
	Type     string `placeholder:"PATTERN" help:"Those of these event types; * stands for one part, a final > for the rest."`
	Fault    string `enum:",receiver,endpoint,internal" default:"" placeholder:"WHOSE" help:"Dead letters by whose fault it is: receiver, endpoint or internal."`
	Since    string `placeholder:"TIME" help:"From then on: a time like 2026-01-31T12:00:00Z, or how long ago, like 1h."`
	Until    string `placeholder:"TIME" help:"Before then, likewise."`
}

// filter returns the flags in the words of the contract.
func (f deliveriesFilter) filter(now time.Time) (events.DeliveryFilter, error) {
	since, err := parseWhen("since", f.Since, now)
	if err != nil {
		return events.DeliveryFilter{}, err
	}
	until, err := parseWhen("until", f.Until, now)
	return events.DeliveryFilter{EndpointID: f.Endpoint, EventType: f.Type, Fault: f.Fault, Since: since, Until: until}, err
}

// parseWhen reads a time, or how long ago it was; empty is the zero time.
func parseWhen(flag, text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if ago, err := time.ParseDuration(text); err == nil {
		if ago < 0 {
			return time.Time{}, &usageError{fmt.Errorf("--%s is %s; it must be positive, like 1h", flag, text)}
		}
		return now.Add(-ago).UTC(), nil
	}
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return time.Time{}, &usageError{fmt.Errorf("--%s is %q; it must be a time like 2026-01-31T12:00:00Z, or a duration like 1h", flag, text)}
	}
	return at.UTC(), nil
}

// ask asks one operation of a client, in the time that the connection's flags give it.
func ask(ctx context.Context, cl *client.Client, c *connection, operation string, req, resp any) error {
	ctx, cancel := context.WithTimeout(ctx, max(c.Timeout, time.Millisecond))
	defer cancel()
	return hint(cl.Call(ctx, operation, req, resp))
}

// deliveriesListCommand lists deliveries.
type deliveriesListCommand struct {
	deliveriesFilter `embed:""`

	Status string `enum:",delivered,retry,dead" default:"" placeholder:"STATUS" help:"What came of it: delivered, retry or dead."`
	Limit  int    `default:"100" help:"How many at most; 0 for all."`
}

// maxListPage is how many one request may list.
const maxListPage = 1000

// Help shows examples.
func (deliveriesListCommand) Help() string {
	return "The oldest come first, one line an attempt. With --status dead, or --fault, they are the dead letters: what was given up.\n\n" +
		"  mlsdmctl webhooks deliveries list --endpoint shop --since 1h\n" +
		"  mlsdmctl webhooks deliveries list --status dead --type 'ci.*' --limit 0\n" +
		"  mlsdmctl webhooks deliveries list --json --limit 0 | jq -r 'select(.http_status >= 500).event_id'"
}

// Run implements the command.
func (l deliveriesListCommand) Run(ctx context.Context, c *connection, t terminal) error {
	if l.Limit < 0 {
		return &usageError{fmt.Errorf("--limit is %d; it must be 0, for all, or more", l.Limit)}
	}
	filter, err := l.filter(time.Now())
	if err != nil {
		return err
	}
	filter.Status = l.Status
	cl, err := c.client(ctx, t)
	if err != nil {
		return err
	}
	defer cl.Close()
	req := events.DeliveriesListRequest{DeliveryFilter: filter}
	shown := 0
	for {
		req.Limit = maxListPage
		if l.Limit > 0 {
			req.Limit = min(maxListPage, l.Limit-shown)
		}
		var page events.DeliveriesList
		if err := ask(ctx, cl, c, events.OpDeliveriesList, req, &page); err != nil {
			return err
		}
		for _, d := range page.Deliveries {
			if shown == 0 && !c.JSON {
				fmt.Fprintln(t.out, deliveryTitles)
			}
			if err := showDelivery(c, t, d); err != nil {
				return err
			}
			shown++
		}
		if req.Cursor = page.Cursor; page.Cursor == "" || l.Limit > 0 && shown >= l.Limit {
			break
		}
	}
	if shown == 0 && !c.JSON {
		_, err = fmt.Fprintln(t.err, "nothing like that is on record")
	}
	return err
}

// The columns of a list. They are of a fixed width, because its pages are printed as they come.
const (
	deliveryTitles = "TIME            DELIVERY                          ENDPOINT          TYPE                      TRY  STATUS     HTTP  ERROR"
	deliveryLine   = "%-14s  %-32s  %-16s  %-24s  %3d  %-9s  %4s  %s\n"
)

// showDelivery prints one entry of a list.
func showDelivery(c *connection, t terminal, d events.Delivery) error {
	if c.JSON {
		return printJSON(t, d)
	}
	cell := func(text string) string { return printable(oneLine(text, events.MaxIDLength)) }
	_, err := fmt.Fprintf(t.out, deliveryLine, d.At.Local().Format("01-02 15:04:05"), cell(d.ID), cell(d.EndpointID), cell(d.EventType),
		d.Attempt, cell(d.Status), httpStatus(d.HTTPStatus), whatWentWrong(d.Error, d.ErrorClass, d.Fault))
	return err
}

// httpStatus is the status of an answer, or a dash when there was none.
func httpStatus(status int) string {
	if status == 0 {
		return "-"
	}
	return strconv.Itoa(status)
}

// whatWentWrong puts an error into one line.
func whatWentWrong(text, class, fault string) string {
	const width = 160
	text = oneLine(text, width)
	var about []string
	for _, word := range []string{class, fault} {
		if word != "" {
			about = append(about, word)
		}
	}
	if len(about) > 0 {
		text = strings.TrimSpace(text + " (" + strings.Join(about, ", ") + ")")
	}
	return printable(text)
}

// deliveriesGetCommand shows one delivery.
type deliveriesGetCommand struct {
	ID       string `arg:"" help:"Id of the delivery, as the list shows it."`
	Endpoint string `placeholder:"ID" help:"Its endpoint, which makes the search shorter."`
}

// Help shows examples.
func (deliveriesGetCommand) Help() string {
	return "  mlsdmctl webhooks deliveries get 0123456789abcdef0123456789abcdef --endpoint shop\n" +
		"  mlsdmctl webhooks deliveries get 0123456789abcdef0123456789abcdef --json | jq .event"
}

// Run implements the command.
func (g deliveriesGetCommand) Run(ctx context.Context, c *connection, t terminal) error {
	var detail events.DeliveryDetail
	if err := c.call(ctx, t, events.OpDeliveriesGet, events.DeliveryRequest{ID: g.ID, EndpointID: g.Endpoint}, &detail); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(t, detail)
	}
	d := detail.Delivery
	fmt.Fprintf(t.out, "delivery  %s\nendpoint  %s\nevent     %s %s\nstatus    %s\n",
		printable(d.ID), printable(d.EndpointID), printable(d.EventType), printable(d.EventID), printable(d.Status))
	if d.Error != "" || d.Fault != "" {
		fmt.Fprintf(t.out, "error     %s\n", whatWentWrong(d.Error, d.ErrorClass, d.Fault))
	}
	if !d.NextAt.IsZero() {
		fmt.Fprintf(t.out, "next      %s\n", d.NextAt.Local().Format(time.DateTime))
	}
	if d.DeadLetter != 0 {
		fmt.Fprintf(t.out, "dead      since %s, as dead letter %d; to deliver it again: mlsdmctl webhooks deliveries replay --delivery %s\n",
			d.At.Local().Format(time.DateTime), d.DeadLetter, printable(d.ID))
	}
	for _, a := range detail.Attempts {
		showRecord(t, a)
	}
	if len(detail.Event) == 0 {
		return nil
	}
	var event bytes.Buffer
	if err := json.Indent(&event, detail.Event, "", "  "); err != nil {
		return fmt.Errorf("the event: %w", err)
	}
	_, err := fmt.Fprintf(t.out, "\n%s\n", printable(event.String()))
	return err
}

// showRecord prints one attempt that is on record, and what was answered.
func showRecord(t terminal, a events.DeliveryAttempt) {
	const width = 400
	again := ""
	if a.ReplayID != "" {
		again = "  replay " + a.ReplayID
	}
	fmt.Fprintf(t.out, "\nattempt %d  %s  %s  http %s  %.1f ms%s\n", a.Attempt, a.At.Local().Format("2006-01-02 15:04:05.000"), printable(a.Outcome),
		httpStatus(a.Status), a.LatencyMS, printable(again))
	if a.Timing != nil {
		fmt.Fprintf(t.out, "  dns %.1f ms, connect %.1f ms, tls %.1f ms, first byte %.1f ms\n", a.Timing.DNSMS, a.Timing.ConnectMS, a.Timing.TLSMS, a.Timing.FirstByteMS)
	}
	if a.Error != "" {
		fmt.Fprintf(t.out, "  %s\n", whatWentWrong(a.Error, a.ErrorClass, a.Fault))
	}
	if a.Response != "" {
		fmt.Fprintf(t.out, "  answered: %s\n", printable(oneLine(a.Response, width)))
	}
}
