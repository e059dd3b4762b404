package tei

import (
	"context"
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
	// patience is how long it may take to tell.
	patience = 5 * time.Second
	// maxTokens bounds counts of tokens that are believed.
	maxTokens = 1 << 30
	// maxTexts is how many vectors, of the longest that there are, fit an answer that is read.
	maxTexts = 512
)

// limits are what the server has told.
type limits struct {
	turn  chan struct{} // whoever fills it may read and write the rest
	last  llm.EmbedLimits
	until time.Time
}

// info is the part of the answer to GET /info that matters.
type info struct {
	MaxInputLength     int64 `json:"max_input_length"`
	MaxBatchTokens     int64 `json:"max_batch_tokens"`
	MaxClientBatchSize int64 `json:"max_client_batch_size"`
}

// EmbedLimits implements [llm.EmbedAdapter]. However many ask, the server is asked once in a while. When it does not tell, they are those
// that it told before, or its defaults; that is no error, unless ctx has ended.
func (c *Client) EmbedLimits(ctx context.Context, _ string, key secret.Value) (llm.EmbedLimits, error) {
	select {
	case c.limits.turn <- struct{}{}:
		defer func() { <-c.limits.turn }()
	case <-ctx.Done():
		return llm.EmbedLimits{}, c.server.Broke(ctx, ctx.Err())
	}
	if time.Now().Before(c.limits.until) {
		return c.limits.last, nil
	}
	asking, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var told info
	if err := c.server.Call(asking, wire.Request{Path: "/info", Key: key, Header: c.cfg.Header}, &told); err != nil {
		if ctx.Err() != nil {
			return llm.EmbedLimits{}, c.server.Broke(ctx, ctx.Err())
		}
		if c.limits.last.Items == 0 {
			c.limits.last = llm.EmbedLimits{Items: DefaultTexts, Tokens: DefaultTokens}
		}
		c.limits.until = time.Now().Add(again)
		return c.limits.last, nil // the call that needs them will tell better what is wrong with the server
	}
	c.limits.last = llm.EmbedLimits{
		Items:      believed(told.MaxClientBatchSize, DefaultTexts, maxTexts),
		Tokens:     believed(told.MaxBatchTokens, DefaultTokens, maxTokens),
		ItemTokens: believed(told.MaxInputLength, 0, maxTokens),
	}
	c.limits.until = time.Now().Add(fresh)
	return c.limits.last, nil
}

// believed is a limit that was told, if it is one.
func believed(told, otherwise, most int64) int {
	if told <= 0 {
		told = otherwise
	}
	return int(min(told, most))
}
