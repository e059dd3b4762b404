// Command forwarder is the floor of the generator's benchmarks: it takes requests from NATS, posts each as it is to a model server,
// and sends back what it gets as it is, an event of a stream at a time. It checks nothing, counts nothing, and tries nothing twice.
//
// It is called with the URL of the NATS server and that of the model server. What comes on floor.now goes to /v1/chat/completions,
// what comes on floor.<duration> to /after/<duration>/v1/chat/completions, and what comes on floor.embed to /v1/embeddings. What comes on
// floor.bytes-<n> is answered with n bytes at once.
package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		panic(err)
	}
}

// run serves until ctx ends.
func run(ctx context.Context, args []string, out io.Writer) error {
	if len(args) != 2 {
		return errors.New("it is called with the URLs of the NATS server and of the model server")
	}
	nc, err := nats.Connect(args[0])
	if err != nil {
		return err
	}
	defer nc.Close()
	f := &forwarder{upstream: args[1], client: llm.NewHTTPClient()} // the same settings as the generator's
	if _, err := nc.QueueSubscribe("floor.*", "q", func(msg *nats.Msg) {
		go func() {
			if err := f.forward(ctx, msg); err != nil {
				fmt.Fprintln(os.Stderr, err)
			}
		}()
	}); err != nil {
		return err
	}
	if err := nc.Flush(); err != nil {
		return err
	}
	if _, err := fmt.Fprintln(out, "forwarding"); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

// forwarder passes on.
type forwarder struct {
	upstream string
	client   *http.Client
}

// forward passes on one request.
func (f *forwarder) forward(ctx context.Context, msg *nats.Msg) error {
	url, what := f.upstream, strings.TrimPrefix(msg.Subject, "floor.")
	if size, found := strings.CutPrefix(what, "bytes-"); found {
		n, err := strconv.Atoi(size)
		if err != nil {
			return err
		}
		return msg.Respond(make([]byte, n))
	}
	switch what {
	case "now":
		url += "/v1/chat/completions"
	case "embed":
		url += "/v1/embeddings"
	default:
		url += "/after/" + what + "/v1/chat/completions"
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(msg.Data))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := f.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d", resp.StatusCode)
	}
	if resp.Header.Get("Content-Type") == "text/event-stream" {
		return forwardEvents(msg, resp.Body)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	return msg.Respond(body)
}

// forwardEvents passes on the data of each event of a stream, and an empty message at its end.
func forwardEvents(msg *nats.Msg, body io.Reader) error {
	lines := bufio.NewScanner(body)
	for lines.Scan() {
		data, found := bytes.CutPrefix(lines.Bytes(), []byte("data: "))
		if !found || string(data) == "[DONE]" {
			continue
		}
		if err := msg.Respond(data); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return err
	}
	return msg.Respond(nil)
}
