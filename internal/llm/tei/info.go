package tei

import (
	"context"
	"net/http/httptrace"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/wire"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
)

// What a server takes at once when it was started without saying otherwise.
const (
	DefaultTexts  = 32
	DefaultTokens = 16384
)

const (
	// fresh is how long what the server told is believed: it may be started anew with other limits.
	fresh = 10 * time.Minute
	// again is how long after a failure it is asked again.
	again = 30 * time.Second
	// current is how long it is believed which model it has, while connections last.
	current = time.Minute
	// soon is how long after a failure it is asked again which model it has, when it has told before.
	soon = time.Second
	// patience is how long it may take to tell.
	patience = 5 * time.Second
	// maxTokens bounds counts of tokens that are believed.
	maxTokens = 1 << 30
	// maxTexts is how many vectors, of the longest that there are, fit an answer that is read.
	maxTexts = 512
	// maxModel bounds the name of its model, in bytes.
	maxModel = 256
)

// told is what the server has told of itself.
type told struct {
	turn   chan struct{} // whoever fills it may read and write the rest
	limits llm.EmbedLimits
	until  time.Time // they are believed
	served string    // which model it has
	asked  question  // when it was asked what it has told last
	failed question  // when it was asked last and did not tell
	err    error     // why
}

// question is one that was asked.
type question struct {
	at time.Time // zero: it was not
	// connection is how many connections had been made when it was asked.
	connection uint64
}

// covers reports whether it was asked when a connection was there.
func (q question) covers(connection uint64) bool { return !q.at.IsZero() && q.connection >= connection }

// info is the part of the answer to GET /info that matters.
type info struct {
	ModelID    string `json:"model_id"`
	ModelSHA   string `json:"model_sha"`
	ModelDType string `json:"model_dtype"`

	MaxInputLength     int64 `json:"max_input_length"`
	MaxBatchTokens     int64 `json:"max_batch_tokens"`
	MaxClientBatchSize int64 `json:"max_client_batch_size"`
}

// model names the model, as in "BAAI/bge-m3@5617a9f float16"; it is empty if the server does not.
func (i *info) model() string {
	name := i.ModelID
	if name == "" {
		return ""
	}
	if i.ModelSHA != "" {
		name += "@" + i.ModelSHA
	}
	if i.ModelDType != "" {
		name += " " + i.ModelDType
	}
	return llm.Bound(name, maxModel)
}

// EmbedLimits implements [llm.EmbedAdapter]. However many ask, the server is asked once in a while. When it does not tell, they are those
// that it told before, or its defaults; that is no error, unless ctx has ended.
func (c *Client) EmbedLimits(ctx context.Context, _ string, key secret.Value) (llm.EmbedLimits, error) {
	if err := c.enter(ctx); err != nil {
		return llm.EmbedLimits{}, err
	}
	defer c.leave()
	t := &c.told
	if time.Now().Before(t.until) {
		return t.limits, nil
	}
	if err := c.ask(ctx, key); err != nil {
		if ctx.Err() != nil {
			return llm.EmbedLimits{}, c.server.Broke(ctx, ctx.Err())
		}
		if t.limits.Items == 0 {
			t.limits = llm.EmbedLimits{Items: DefaultTexts, Tokens: DefaultTokens}
		}
		t.until = time.Now().Add(again)
	}
	return t.limits, nil // the call that needs them will tell better what is wrong with the server
}

// count counts the connections that are made for a request, and sets which one was the last when the request had its own.
func (c *Client) count(ctx context.Context, connection *uint64) context.Context {
	*connection = c.connections.Load()
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		ConnectDone: func(_, _ string, err error) { // one that is made and not used is no new one when it is used later
			if err == nil {
				c.connections.Add(1)
			}
		},
		GotConn: func(got httptrace.GotConnInfo) {
			if !got.Reused {
				c.connections.Add(1)
			}
			*connection = c.connections.Load()
		},
	})
}

// served is which model the server has, as it has told since a connection was made, and a little while ago. It is empty where the server
// has never told.
func (c *Client) served(ctx context.Context, key secret.Value, connection uint64) (string, error) {
	if err := c.enter(ctx); err != nil {
		return "", err
	}
	defer c.leave()
	t := &c.told
	now := time.Now()
	known := t.asked.covers(connection)
	switch {
	case known && now.Before(t.asked.at.Add(current)):
		return t.served, nil
	case t.failed.covers(connection) && now.Before(t.failed.at.Add(c.pause())): // others have asked in vain just now
	default:
		if err := c.ask(ctx, key); err == nil {
			return t.served, nil
		} else if ctx.Err() != nil {
			return "", c.server.Broke(ctx, ctx.Err())
		}
	}
	if known || t.served == "" {
		return t.served, nil
	}
	fault := *llm.FaultOf(c.server.BrokeOff("the server does not tell which model it has, and may have been started with another: %w", t.err))
	fault.Class = llm.ClassProvider
	return "", &fault
}

// pause is how long nobody asks after the server has not told.
func (c *Client) pause() time.Duration {
	if c.told.served == "" {
		return again
	}
	return soon
}

// enter waits for the turn to read and write what the server has told.
func (c *Client) enter(ctx context.Context) error {
	select {
	case c.told.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return c.server.Broke(ctx, ctx.Err())
	}
}

// leave gives the turn to the next.
func (c *Client) leave() { <-c.told.turn }

// ask asks the server, and remembers what it tells, or that it does not.
func (c *Client) ask(ctx context.Context, key secret.Value) error {
	asking, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	q := question{at: time.Now()}
	asking = c.count(asking, &q.connection)
	var got info
	t := &c.told
	if err := c.server.Call(asking, wire.Request{Path: "/info", Key: key, Header: c.cfg.Header}, &got); err != nil {
		if ctx.Err() == nil {
			t.failed, t.err = q, err
		}
		return err
	}
	t.served, t.asked = got.model(), q
	t.limits = llm.EmbedLimits{
		Items:      believed(got.MaxClientBatchSize, DefaultTexts, maxTexts),
		Tokens:     believed(got.MaxBatchTokens, DefaultTokens, maxTokens),
		ItemTokens: believed(got.MaxInputLength, 0, maxTokens),
	}
	t.until = time.Now().Add(fresh)
	return nil
}

// believed is a limit that was told, if it is one.
func believed(told, otherwise, most int64) int {
	if told <= 0 {
		told = otherwise
	}
	return int(min(told, most))
}
