package backup_test

import (
	"context"
	"testing"

	"github.com/neuron7x/mlsdm-integrations/internal/backup"
)

// contextAfter ends a context when a number of streams was saved.
func contextAfter(t *testing.T, n int) (context.Context, backup.Told) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	return ctx, func(_, what string, _ int64) {
		if what == "saved" {
			if n--; n == 0 {
				cancel()
			}
		}
	}
}
