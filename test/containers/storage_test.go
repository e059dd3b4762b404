package containers_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/test/natscli"
)

// TestTheStoreHasRoomForWhatIsReserved: a stream that has a bound reserves it when it is made, and the server refuses to make one for
// which there is no room. A quarter of it is left for those that have none.
func TestTheStoreHasRoomForWhatIsReserved(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(natscli.Root(t), "deploy", "nats", "nats.conf"))
	require.NoError(t, err)
	found := regexp.MustCompile(`(?m)^\s*max_file_store:\s*(\d+)GB\s*$`).FindSubmatch(text)
	require.Len(t, found, 2, "the bound of the store")
	store, err := strconv.ParseInt(string(found[1]), 10, 64)
	require.NoError(t, err)
	const gigabyte = 1_000_000_000 // the less of what GB may mean
	var reserved int64
	for _, s := range events.Streams() {
		reserved += s.MaxBytes
	}
	for _, o := range events.ObjectStores() {
		reserved += o.MaxBytes
	}
	require.Less(t, 4*reserved, 3*store*gigabyte, "reserved are %d bytes", reserved)
}
