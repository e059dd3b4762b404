package telemetry

import (
	"bytes"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/time/rate"
)

func TestComplainerDoesNotRepeatItself(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		c := &complainer{log: slog.New(slog.NewTextHandler(&out, nil)), sometimes: rate.Sometimes{First: 1, Interval: complainEvery}}
		for range 10 {
			c.Handle(errors.New("connection refused"))
		}
		require.Equal(t, 1, bytes.Count(out.Bytes(), []byte("\n")))
		<-time.After(complainEvery)
		c.Handle(errors.New("connection refused"))
		require.Equal(t, 2, bytes.Count(out.Bytes(), []byte("\n")))
	})
}
