// Package rest has what the clients of all forges do with HTTP: the network with its bounds, answers that are read to their end but not
// further, and texts, times and names that are made or found fit for what is told of a run. It knows none of the forges.
package rest

import (
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Bounds of an answer, in bytes, uncompressed.
const (
	MaxBody    = 25 << 20 // of one that says yes; a page of GitHub's runs is about 600 KiB, one of GitLab's jobs about 300 KiB
	MaxRefusal = 64 << 10 // of one that says no
)

// ErrBodyTooLarge is the error of an answer of more than [MaxBody].
var ErrBodyTooLarge = errors.New("the answer is larger than 25 MiB")

// ReadBody reads an answer to its end, or as much of a refusal as is looked at: [MaxRefusal], also when the rest is lost. Its error is
// [ErrBodyTooLarge], or what the network says.
func ReadBody(resp *http.Response) ([]byte, error) {
	limit := int64(MaxRefusal)
	if resp.StatusCode/100 == 2 {
		limit = MaxBody
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	switch {
	case resp.StatusCode/100 != 2:
		return body[:min(len(body), MaxRefusal)], nil // the status says enough
	case err != nil:
		return nil, fmt.Errorf("reading the answer: %w", err)
	case len(body) > MaxBody:
		return nil, ErrBodyTooLarge
	}
	return body, nil
}

// Worse returns the failure that the caller should know of: the one that may pass, if one may, or else the first. The first may be nil.
func Worse(a, b *events.Error) *events.Error {
	if a == nil || b.Retryable && !a.Retryable {
		return b
	}
	return a
}
