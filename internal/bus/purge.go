package bus

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"
)

// Purge takes all messages on a subject, which may have wildcards, out of a stream and returns how many there were. Errors are an
// [events.Error] of code failed_precondition when there is no such stream, and unavailable when the server does not answer.
func (b *Bus) Purge(ctx context.Context, stream, subject string) (uint64, error) {
	ctx, cancel := withTimeout(ctx, apiTimeout)
	defer cancel()
	body, err := json.Marshal(jetstream.StreamPurgeRequest{Subject: subject})
	if err != nil {
		return 0, err
	}
	what := "purging " + subject + " from " + stream
	answer, err := b.nc.RequestWithContext(ctx, b.api+"STREAM.PURGE."+stream, body)
	if err != nil {
		return 0, readError(what, err)
	}
	var got struct {
		Error  *jetstream.APIError `json:"error"`
		Purged uint64              `json:"purged"`
	}
	if err := json.Unmarshal(answer.Data, &got); err != nil {
		return 0, fmt.Errorf("%s: the server's answer: %w", what, err)
	}
	if got.Error != nil {
		return 0, readError(what, got.Error)
	}
	return got.Purged, nil
}
