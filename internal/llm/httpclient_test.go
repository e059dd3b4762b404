package llm_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"testing"

	"github.com/neuron7x/mlsdm-integrations/internal/hostiletest"
	"github.com/neuron7x/mlsdm-integrations/internal/llm"
)

// TestNewHTTPClient: also an answer of which nothing is kept, such as a stream, comes to its end.
func TestNewHTTPClient(t *testing.T) { // it measures memory, and is not parallel
	hostiletest.Client{Most: 256 << 20, Ask: func(ctx context.Context, url string) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, http.NoBody)
		if err != nil {
			return err
		}
		resp, err := llm.NewHTTPClient().Do(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			return llm.TransportError(ctx, "acme", err)
		}
		if resp.StatusCode != http.StatusOK {
			return errors.New(resp.Status)
		}
		return nil
	}}.Run(t)
}
