package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"io/fs"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// fakeDispatcher answers operations about deliveries as a test says, and remembers what it was asked.
type fakeDispatcher struct {
	url string

	mu      sync.Mutex
	lists   []events.DeliveriesListRequest
	gets    []events.DeliveryRequest
	replays []events.ReplayRequest

	list   func(n int, r events.DeliveriesListRequest) (events.DeliveriesList, error)
	get    func(r events.DeliveryRequest) (events.DeliveryDetail, error)
	replay func(n int, r events.ReplayRequest) (events.ReplayReply, error)
}

// start serves until the test ends.
func (f *fakeDispatcher) start(t *testing.T) *fakeDispatcher {
	t.Helper()
	srv := bustest.Start(t, bustest.Bare())
	f.url = srv.URL()
	b := srv.Connect(t, "dispatcher")
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- b.Serve(ctx, bus.Service{
			Name: events.MicroName(events.ServiceDispatcher), Version: "1.0.0", Operations: []bus.Operation{
				{Name: events.OpDeliveriesList, Handler: handle(f, &f.lists, func(n int, r events.DeliveriesListRequest) (any, error) { return f.list(n, r) })},
				{Name: events.OpDeliveriesGet, Handler: handle(f, &f.gets, func(_ int, r events.DeliveryRequest) (any, error) { return f.get(r) })},
				{Name: events.OpDeliveriesReplay, Handler: handle(f, &f.replays, func(n int, r events.ReplayRequest) (any, error) { return f.replay(n, r) })},
			},
		})
	}()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-done)
	})
	nc := srv.Conn(t)
	require.Eventually(t, func() bool {
		_, err := nc.Request("$SRV.PING."+events.MicroName(events.ServiceDispatcher), nil, time.Second)
		return err == nil
	}, 10*time.Second, 10*time.Millisecond)
	return f
}

// handle makes a handler of what a test says, with the number of the request, from 0.
func handle[R any](f *fakeDispatcher, seen *[]R, answer func(n int, r R) (any, error)) func(context.Context, *bus.Request) error {
	return func(_ context.Context, req *bus.Request) error {
		var r R
		if err := events.DecodeJSON(req.Body, &r); err != nil {
			return err
		}
		f.mu.Lock()
		n := len(*seen)
		*seen = append(*seen, r)
		f.mu.Unlock()
		reply, err := answer(n, r)
		if err != nil {
			return err
		}
		body, err := json.Marshal(reply)
		if err != nil {
			return err
		}
		return req.Respond(body)
	}
}

// tty looks like a terminal.
type tty struct {
	io.Reader
	*bytes.Buffer
}

// device is what is known of a terminal's file.
type device struct{ fs.FileInfo }

func (device) Mode() fs.FileMode { return fs.ModeDevice | fs.ModeCharDevice }

func (tty) Stat() (fs.FileInfo, error)    { return device{}, nil }
func (t tty) Read(p []byte) (int, error)  { return t.Reader.Read(p) }
func keyboard(text string) tty            { return tty{Reader: strings.NewReader(text)} }
func screen() tty                         { return tty{Buffer: new(bytes.Buffer)} }
func none(string) (value string, ok bool) { return "", false }
func lines(text string) []string          { return strings.Split(strings.TrimSpace(text), "\n") }
func (f *fakeDispatcher) args(a string) []string {
	return append([]string{"--server", f.url, "webhooks", "deliveries"}, strings.Fields(a)...)
}

// ctl runs the command line without a terminal.
func (f *fakeDispatcher) ctl(t *testing.T, args string) (code int, out, errs string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code = run(t.Context(), f.args(args), terminal{in: strings.NewReader(""), out: &stdout, err: &stderr, lookup: none})
	return code, stdout.String(), stderr.String()
}

// someDeliveries are numbered from a number on.
func someDeliveries(from, n int) []events.Delivery {
	all := make([]events.Delivery, n)
	for i := range all {
		all[i] = events.Delivery{
			ID: "delivery-" + strconv.Itoa(from+i), EndpointID: "shop", EventID: "e", EventType: "ci.degraded", Status: events.AttemptRetry,
			Attempt: 2, At: time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC), HTTPStatus: 503, Error: "the receiver\nanswered\x1b 503", ErrorClass: "status",
		}
	}
	return all
}

func TestDeliveriesList(t *testing.T) {
	t.Parallel()
	f := (&fakeDispatcher{list: func(n int, r events.DeliveriesListRequest) (events.DeliveriesList, error) {
		switch r.Cursor {
		case "":
			return events.DeliveriesList{Deliveries: someDeliveries(0, min(2, r.Limit)), Cursor: "second"}, nil
		case "second":
			return events.DeliveriesList{Deliveries: []events.Delivery{}, Cursor: "third"}, nil
		default:
			return events.DeliveriesList{Deliveries: someDeliveries(2, min(3, r.Limit))}, nil
		}
	}}).start(t)

	code, out, errs := f.ctl(t, "list --endpoint shop --type ci.* --status retry --since 2026-01-01T00:00:00Z --until 1h")
	require.Zero(t, code, errs)
	require.Len(t, lines(out), 6, "a head, and three pages")
	require.Equal(t, deliveryTitles, lines(out)[0])
	for _, want := range []string{"delivery-4", "shop", "ci.degraded", "  2  ", "retry", "503", "the receiver answered 503 (status)"} {
		require.Contains(t, lines(out)[5], want)
	}
	first := f.lists[0]
	require.WithinDuration(t, time.Now().Add(-time.Hour), first.Until, time.Minute)
	first.Until = time.Time{}
	require.Equal(t, events.DeliveriesListRequest{Limit: 100, DeliveryFilter: events.DeliveryFilter{
		EndpointID: "shop", EventType: "ci.*", Status: events.AttemptRetry, Since: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
	}}, first)
	require.Equal(t, 98, f.lists[1].Limit)

	code, out, _ = f.ctl(t, "list --json --limit 3")
	require.Zero(t, code)
	require.Len(t, lines(out), 3, "one object a line, no head")
	for _, line := range lines(out) {
		var d events.Delivery
		require.NoError(t, json.Unmarshal([]byte(line), &d))
		require.Equal(t, "shop", d.EndpointID)
	}
	code, out, _ = f.ctl(t, "list --json --limit 1")
	require.Zero(t, code)
	require.Len(t, lines(out), 1)
	code, out, _ = f.ctl(t, "list --limit 0")
	require.Zero(t, code)
	require.Len(t, lines(out), 6)
}

func TestDeliveriesListFails(t *testing.T) {
	t.Parallel()
	f := (&fakeDispatcher{list: func(int, events.DeliveriesListRequest) (events.DeliveriesList, error) {
		return events.DeliveriesList{}, events.Errorf(events.CodeInvalidArgument, "no such pattern")
	}}).start(t)
	for args, want := range map[string]struct {
		code int
		says string
	}{
		"list":                         {1, "no such pattern"},
		"list --since yesterday":       {2, "--since"},
		"list --until=-1h":             {2, "--until"},
		"list --limit=-1":              {2, "--limit"},
		"list --status lost":           {2, "--status"},
		"list --fault mine":            {2, "--fault"},
		"lists":                        {2, "unexpected"},
		"get":                          {2, "<id>"},
		"replay --from thin-air --yes": {2, "--from"},
	} {
		t.Run(args, func(t *testing.T) {
			t.Parallel()
			code, out, errs := f.ctl(t, args)
			require.Equal(t, want.code, code)
			require.Contains(t, errs, want.says)
			require.NotContains(t, out, deliveryTitles)
		})
	}
}

func TestDeliveriesListOfNothing(t *testing.T) {
	t.Parallel()
	f := (&fakeDispatcher{list: func(int, events.DeliveriesListRequest) (events.DeliveriesList, error) {
		return events.DeliveriesList{Deliveries: []events.Delivery{}}, nil
	}}).start(t)
	code, out, errs := f.ctl(t, "list")
	require.Zero(t, code)
	require.Empty(t, out)
	require.Contains(t, errs, "nothing like that is on record")
	code, out, errs = f.ctl(t, "list --json")
	require.Zero(t, code)
	require.Empty(t, out+errs)
}

func TestDeliveriesGet(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	detail := events.DeliveryDetail{
		Delivery: events.Delivery{
			ID: "one", EndpointID: "shop", EventID: "event-1", EventType: "ci.degraded", Status: events.AttemptDead, Attempt: 1, At: at,
			Error: "given up", Fault: events.FaultReceiver, DeadLetter: 7,
		},
		Attempts: []events.DeliveryAttempt{{
			DeliveryID: "one", EndpointID: "shop", Attempt: 1, At: at, LatencyMS: 12.34, Status: 400, Outcome: events.AttemptDead, Error: "400",
			ErrorClass: events.ErrorClassStatus, Timing: &events.AttemptTiming{TLSMS: 5.5}, Response: "bad\x1b[31m request", ReplayID: "again",
		}},
		Event: json.RawMessage(`{"id":"event-1"}`),
	}
	f := (&fakeDispatcher{get: func(r events.DeliveryRequest) (events.DeliveryDetail, error) {
		if r.ID != "one" {
			return events.DeliveryDetail{}, events.Errorf(events.CodeNotFound, "nothing is on record")
		}
		return detail, nil
	}}).start(t)
	code, out, errs := f.ctl(t, "get one --endpoint shop")
	require.Zero(t, code, errs)
	require.Equal(t, []events.DeliveryRequest{{ID: "one", EndpointID: "shop"}}, f.gets)
	for _, want := range []string{
		"ci.degraded event-1", "given up (receiver)", "replay --delivery one", "attempt 1", "http 400", "12.3 ms", "tls 5.5 ms",
		"answered: bad[31m request", "replay again", `  "id": "event-1"`,
	} {
		require.Contains(t, out, want)
	}
	code, out, _ = f.ctl(t, "get one --json")
	require.Zero(t, code)
	var read events.DeliveryDetail
	require.NoError(t, json.Unmarshal([]byte(out), &read))
	require.Equal(t, detail, read)
	code, _, errs = f.ctl(t, "get two")
	require.Equal(t, 1, code)
	require.Contains(t, errs, "nothing is on record")
}

func TestThousands(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 123456: "123,456", 1234567: "1,234,567", -1000: "-1,000", -100: "-100"} {
		require.Equal(t, want, thousands(n))
	}
}
