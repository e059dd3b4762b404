package openai

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Bounds on what is read from a server, in bytes.
const (
	maxBody      = 32 << 20
	maxErrorBody = 64 << 10
)

// Media types of answers.
const (
	typeJSON        = "application/json"
	typeEventStream = "text/event-stream"
)

// post sends one request and returns the answer if its status is 200 and its media type is want. Everything else is an
// error that names the provider. The caller closes the body.
//
// When the server refuses a key that can be another by now, post asks for that and tries once more, so that a rotation fails no
// request.
func (c *Client) post(ctx context.Context, path, want string, body []byte) (*http.Response, error) {
	key, text, err := c.key()
	if err != nil {
		return nil, err
	}
	res, err := c.send(ctx, path, want, key, body)
	if err == nil && res.StatusCode == http.StatusUnauthorized {
		if fresh, changed := c.cfg.Key.Renew(ctx, text); changed {
			closeBody(res)
			if key, err = c.usable(fresh); err != nil {
				return nil, err
			}
			res, err = c.send(ctx, path, want, key, body)
		}
	}
	if err != nil {
		return nil, err
	}
	if res.StatusCode != http.StatusOK {
		defer closeBody(res)
		return nil, c.failure(res)
	}
	if got, _, err := mime.ParseMediaType(res.Header.Get("Content-Type")); err != nil || got != want {
		defer closeBody(res)
		return nil, llm.BadAnswer(c.cfg.Provider, "content type %q instead of %q; does the base URL lead to an OpenAI-compatible API?",
			c.clean(res.Header.Get("Content-Type"), 80), want)
	}
	return res, nil
}

// send sends one request with a key, if there is one, and returns the answer, whatever it says.
func (c *Client) send(ctx context.Context, path, want, key string, body []byte) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+path, bytes.NewReader(body))
	if err != nil {
		return nil, llm.BadAnswer(c.cfg.Provider, "the request cannot be made: %w", err)
	}
	req.Header.Set("Content-Type", typeJSON)
	req.Header.Set("Accept", want)
	req.Header.Set("User-Agent", "mlsdm-integrations")
	if key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	res, err := c.cfg.HTTP.Do(req)
	if err != nil {
		return nil, c.broke(ctx, err)
	}
	return res, nil
}

// call posts body and decodes the whole JSON answer into out.
func (c *Client) call(ctx context.Context, path string, body []byte, out any) error {
	res, err := c.post(ctx, path, typeJSON, body)
	if err != nil {
		return err
	}
	defer closeBody(res)
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxBody+1))
	if err != nil {
		return c.broke(ctx, err)
	}
	if len(answer) > maxBody {
		return llm.BadAnswer(c.cfg.Provider, "it is larger than %d MiB; ask for less at a time", maxBody>>20)
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return llm.BadAnswer(c.cfg.Provider, "it is not the JSON that the protocol asks for (%d bytes)", len(answer))
	}
	return nil
}

// broke is the error of a request that ended without a whole answer. The cause is kept as cleaned text only: net/http
// quotes what it cannot understand, be it a header or a redirect, and a server may have put the API key there.
func (c *Client) broke(ctx context.Context, cause error) *events.Error {
	e := llm.TransportError(ctx, c.cfg.Provider, cause)
	if e.Err == cause { //nolint:errorlint // it is asked whether this very error was kept
		e.Err = errors.New(c.clean(cause.Error(), maxText))
	}
	return e
}

// closeBody reads what little is left, so that the connection can be used again, and closes the body.
func closeBody(res *http.Response) {
	// Errors here concern only the reuse of the connection: the answer has been read, or given up.
	_, _ = io.CopyN(io.Discard, res.Body, maxErrorBody)
	_ = res.Body.Close()
}

// clean cuts the API key, plain or URL-encoded, out of what a server said and bounds the rest.
func (c *Client) clean(s string, n int) string { return llm.Bound(c.sent.cut(s), n) }
