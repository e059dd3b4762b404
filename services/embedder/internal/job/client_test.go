package job_test

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/door/doortest"
	"github.com/neuron7x/mlsdm-integrations/pkg/client"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/embedder/internal/job"
)

// An application asks for many vectors and reads them, whichever way they come.
func TestClientReadsVectors(t *testing.T) {
	t.Parallel()
	// In the answer, as an object, and as one of several chunks.
	for texts, dimensions := range map[int]int{20: 128, 3000: 128, events.MaxDurableInputs: 8} {
		t.Run(strconv.Itoa(texts), func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, newProvider(dimensions))
			h.size = 2048
			h.provider.spoil = func(text string, item *job.Item) {
				if text == "7" {
					*item = job.Item{Err: events.Errorf(events.CodeInvalidArgument, "too long")}
				}
			}
			h.start(t)
			ctx, cancel := context.WithTimeout(t.Context(), 4*doortest.Patience)
			defer cancel()
			c, err := client.Connect(ctx, h.Server.URL(), client.Caller("shop"))
			require.NoError(t, err)
			t.Cleanup(c.Close)
			req := events.EmbeddingsRequest{Model: model}
			for i := range texts {
				req.Input = append(req.Input, strconv.Itoa(i))
			}
			res, err := c.EmbedDurable(ctx, "order-1", req)
			require.NoError(t, err)
			require.Equal(t, 1, res.Failed)
			reader := c.Vectors(res)
			for i := range texts {
				v, err := reader.Next(ctx)
				require.NoError(t, err)
				if i == 7 || i == 0 && res.Vectors != nil { // the vector of the text "0" has nothing but zeros
					require.Nil(t, v)
					continue
				}
				if len(v) != dimensions || v[0] != float32(i) {
					require.Failf(t, "another vector", "of text %d", i)
				}
			}
			for range 2 {
				_, err = reader.Next(ctx)
				require.ErrorIs(t, err, io.EOF)
			}
			state, err := c.Job(ctx, "order-1")
			require.NoError(t, err)
			require.Equal(t, []int{texts, texts, 1}, []int{state.Total, state.Done, state.Failed})
			_, err = c.Job(ctx, "order-2")
			require.Equal(t, events.CodeNotFound, events.CodeOf(err))

			again, err := c.EmbedDurable(ctx, "order-1", req) // as whoever does that has crashed
			require.NoError(t, err)
			require.Equal(t, res, again)
			more, _ := h.provider.paid()
			require.Zero(t, more)
		})
	}
}

// What was changed on its way, or is gone, is not taken for vectors.
func TestClientChecksVectors(t *testing.T) {
	t.Parallel()
	h := newHouse(t, newProvider(128))
	h.size = 2048
	h.start(t)
	ctx, cancel := context.WithTimeout(t.Context(), doortest.Patience)
	defer cancel()
	c, err := client.Connect(ctx, h.Server.URL())
	require.NoError(t, err)
	t.Cleanup(c.Close)
	h.publish(t, "r1", request(t, 3000))
	var res events.EmbeddingsResponse
	require.NoError(t, c.Result(ctx, "r1", &res))
	for name, change := range map[string]func(o *events.VectorsObject){
		"digest":     func(o *events.VectorsObject) { o.Digest = "SHA-256=" + fmt.Sprintf("%043d", 0) + "=" },
		"dimensions": func(o *events.VectorsObject) { o.Dimensions++ },
		"count":      func(o *events.VectorsObject) { o.Count-- },
		"name":       func(o *events.VectorsObject) { o.Name += "X" },
	} {
		other, object := res, *res.Vectors
		change(&object)
		other.Vectors = &object
		reader := c.Vectors(&other)
		var err error
		for err == nil {
			_, err = reader.Next(ctx)
		}
		require.NotErrorIs(t, err, io.EOF, name)
	}
}
