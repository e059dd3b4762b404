package sender

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"":                                 0,
		"0":                                0,
		"7":                                7 * time.Second,
		" 7 ":                              7 * time.Second,
		"3600":                             time.Hour,
		"3601":                             time.Hour,
		"4294967296":                       time.Hour,
		"99999999999999999999999999":       time.Hour,
		"-5":                               0,
		"1.5":                              0,
		"soon":                             0,
		"Sat, 31 Jan 2026 12:00:30 GMT":    30 * time.Second,
		"Saturday, 31-Jan-26 12:01:00 GMT": time.Minute,
		"Sat, 31 Jan 2026 11:59:00 GMT":    0,
		"Sun, 31 Jan 2027 12:00:00 GMT":    time.Hour,
	} {
		require.Equal(t, want, retryAfter(value, now), "%q", value)
	}
}
