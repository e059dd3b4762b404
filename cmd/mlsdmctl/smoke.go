package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/secret/bounded"
	"github.com/neuron7x/mlsdm-integrations/pkg/client"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// smokeCommand sends one of everything through a running stack.
type smokeCommand struct {
	Jaeger string `env:"MLSDM_SMOKE_JAEGER" placeholder:"URL" help:"Where a Jaeger answers, such as http://localhost:16686: the trace of what was sent must be there."`
}

// Help shows examples.
func (smokeCommand) Help() string {
	return "One request of each kind, by the models that need no provider, and one event: does the stack do its work? It costs nothing, and changes\n" +
		"nothing but that the event custom.smoke is stored. What is wrong with a stack that does not, `mlsdmctl doctor` says. It exits with 1 if\n" +
		"anything fails.\n\n" +
		"  mlsdmctl smoke\n" +
		"  mlsdmctl smoke --nkey deploy/installation/users/client.nk --jaeger http://localhost:16686\n" +
		"  mlsdmctl smoke --json | jq .findings"
}

// Models that are in the process, so that nobody is paid.
const (
	smokeEmbedder  = "local/hash-384"
	smokeGenerator = "local/echo"
)

// stepPatience is how long one step may take.
const stepPatience = 15 * time.Second

// smokeStep is one thing that is tried.
type smokeStep struct {
	check string
	try   func(ctx context.Context, c *client.Client) (says string, err error)
}

// smokeSteps are all of them, in the order in which a fault shows best.
func smokeSteps() []smokeStep {
	const text = "is the stack well?"
	embed := events.EmbeddingsRequest{Model: smokeEmbedder, Input: events.TextInput{text}}
	chat := events.ChatRequest{Model: smokeGenerator, Prompt: text}
	return []smokeStep{
		{"embed", func(ctx context.Context, c *client.Client) (string, error) {
			res, err := c.Embed(ctx, embed)
			return vectorSays(res, err)
		}},
		{"generate", func(ctx context.Context, c *client.Client) (string, error) {
			res, err := c.Generate(ctx, chat)
			return answerSays(res, text, err)
		}},
		{"generate, streamed", func(ctx context.Context, c *client.Client) (string, error) {
			said, chunks := "", 0
			for chunk, err := range c.GenerateStream(ctx, chat) {
				if err != nil {
					return "", err
				}
				chunks++
				for _, choice := range chunk.Choices {
					said += choice.Delta.Content //nolint:perfsprint // a sentence
				}
			}
			return echoSays(said, text, fmt.Sprintf("%d chunks", chunks))
		}},
		{"event", func(ctx context.Context, c *client.Client) (string, error) {
			stored, err := c.PublishData(ctx, "custom.smoke", []byte(`{"by":"mlsdmctl smoke"}`))
			return fmt.Sprintf("stored as %d", stored.Sequence), err
		}},
		{"webhooks", func(ctx context.Context, c *client.Client) (string, error) {
			endpoints, err := c.Endpoints(ctx)
			return fmt.Sprintf("%d endpoints", len(endpoints)), err
		}},
		{"secrets", func(ctx context.Context, c *client.Client) (string, error) {
			list, err := c.ListSecrets(ctx, 0, "")
			code := events.CodeOf(err)
			if code == events.CodePermissionDenied { // somebody decided that, and it is an answer
				return "this user may have none", nil
			}
			if code == events.CodeFailedPrecondition { // who asks under no name has none
				return "not asked: that needs a name (--caller)", nil
			}
			return fmt.Sprintf("%d that this user may have", len(list.Secrets)), err
		}},
		{"ci", func(ctx context.Context, c *client.Client) (string, error) {
			var status events.CIStatus
			err := c.Call(ctx, events.OpCIStatus, events.CIStatusRequest{}, &status)
			if events.CodeOf(err) == events.CodeFailedPrecondition {
				return "no repository is watched", nil
			}
			return fmt.Sprintf("%d workflows are watched", len(status.Workflows)), err
		}},
		{"embed, durable", func(ctx context.Context, c *client.Client) (string, error) {
			id, err := c.SubmitEmbed(ctx, "", embed)
			if err != nil {
				return "", err
			}
			var res events.EmbeddingsResponse
			err = c.Result(ctx, id, &res)
			return vectorSays(&res, err)
		}},
		{"generate, durable", func(ctx context.Context, c *client.Client) (string, error) {
			id, err := c.SubmitGenerate(ctx, "", chat)
			if err != nil {
				return "", err
			}
			var res events.ChatResponse
			err = c.Result(ctx, id, &res)
			return answerSays(&res, text, err)
		}},
	}
}

// vectorSays judges an answer with a vector.
func vectorSays(res *events.EmbeddingsResponse, err error) (string, error) {
	switch {
	case err != nil:
		return "", err
	case len(res.Data) != 1 || len(res.Data[0].Embedding.Values) == 0:
		return "", fmt.Errorf("one vector was asked for; the answer has %d", len(res.Data))
	default:
		return fmt.Sprintf("%d dimensions by %s", len(res.Data[0].Embedding.Values), res.Model), nil
	}
}

// answerSays judges an answer of the model that repeats what it is asked.
func answerSays(res *events.ChatResponse, asked string, err error) (string, error) {
	switch {
	case err != nil:
		return "", err
	case len(res.Choices) == 0:
		return "", errors.New("the answer says nothing")
	default:
		return echoSays(res.Choices[0].Message.Content.String(), asked, "answered by "+res.Model)
	}
}

func echoSays(said, asked, says string) (string, error) {
	if !strings.Contains(said, asked) {
		return "", fmt.Errorf("asked %q, the model that repeats it says %q", asked, oneLine(said, 80))
	}
	return says, nil
}

// Run implements the command.
func (k smokeCommand) Run(ctx context.Context, c *connection, t terminal) error {
	if k.Jaeger != "" {
		if u, err := url.Parse(k.Jaeger); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			return &usageError{fmt.Errorf("--jaeger is %q; it must be a URL such as http://localhost:16686", k.Jaeger)}
		}
	}
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	trace := randomHex(16)
	parent := "00-" + trace + "-" + randomHex(8) + "-01"
	cl, err := c.client(ctx, t, client.TraceContext(func(context.Context) (string, string) { return parent, "" }))
	if err != nil {
		return err
	}
	defer cl.Close()
	var found []Finding
	for _, step := range smokeSteps() {
		begun := time.Now()
		trying, cancel := context.WithTimeout(ctx, stepPatience)
		says, err := step.try(trying, cl)
		cancel()
		f := Finding{step.check, findingOK, fmt.Sprintf("%s, %s", says, time.Since(begun).Round(time.Millisecond)), ""}
		if err != nil {
			f = Finding{step.check, findingFail, err.Error(), "mlsdmctl doctor"}
		}
		found = append(found, f)
	}
	if k.Jaeger != "" {
		found = append(found, traceFinding(ctx, strings.TrimSuffix(k.Jaeger, "/"), trace))
	}
	if err := printFindings(c, t, found); err != nil {
		return err
	}
	if slices.ContainsFunc(found, func(f Finding) bool { return f.Result == findingFail }) {
		return errSick
	}
	return nil
}

// randomHex is so many random bytes in hex.
func randomHex(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // it never fails
	return hex.EncodeToString(b)
}

// tracePatience is how long exporters may take to send what they have.
const tracePatience = 20 * time.Second

// traceFinding looks for a trace in a Jaeger, and says which services are in it.
func traceFinding(ctx context.Context, jaeger, trace string) Finding {
	ctx, cancel := context.WithTimeout(ctx, tracePatience)
	defer cancel()
	f := Finding{Check: "trace", Result: findingFail, Advice: "do the services export traces (OTEL_EXPORTER_OTLP_ENDPOINT), and does " + jaeger + " answer?"}
	want := []string{"mlsdm-embedder", "mlsdm-generator"}
	asking := bounded.Client() // what it bounds, of stores of secrets, is right for a trace of this size too
	for {
		services, spans, err := jaegerTrace(ctx, asking, jaeger, trace)
		if !slices.ContainsFunc(want, func(name string) bool { return !slices.Contains(services, name) }) {
			return Finding{"trace", findingOK, fmt.Sprintf("%d spans of %s: %s/trace/%s", spans, strings.Join(services, ", "), jaeger, trace), ""}
		}
		f.Says = fmt.Sprintf("it has %d spans of [%s]; %s should be among them", spans, strings.Join(services, " "), strings.Join(want, " and "))
		if err != nil {
			f.Says = err.Error()
		}
		select {
		case <-ctx.Done():
			return f
		case <-time.After(500 * time.Millisecond):
		}
	}
}

// jaegerTrace asks a Jaeger which services have spans of a trace, and how many.
func jaegerTrace(ctx context.Context, asking *http.Client, jaeger, trace string) (services []string, spans int, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, jaeger+"/api/traces/"+trace, nil)
	if err != nil {
		return nil, 0, err
	}
	res, err := asking.Do(req)
	if err != nil {
		return nil, 0, err
	}
	defer res.Body.Close()
	if res.StatusCode == http.StatusNotFound {
		return nil, 0, nil
	}
	if res.StatusCode != http.StatusOK {
		return nil, 0, fmt.Errorf("%s answers %s", jaeger, res.Status)
	}
	var got struct {
		Data []struct {
			Spans     []json.RawMessage `json:"spans"`
			Processes map[string]struct {
				Name string `json:"serviceName"`
			} `json:"processes"`
		} `json:"data"`
	}
	if err := json.NewDecoder(res.Body).Decode(&got); err != nil {
		return nil, 0, fmt.Errorf("%s answers something that is no trace: %w", jaeger, err)
	}
	for _, data := range got.Data {
		spans += len(data.Spans)
		for _, process := range data.Processes {
			services = append(services, process.Name)
		}
	}
	slices.Sort(services)
	return slices.Compact(services), spans, nil
}
