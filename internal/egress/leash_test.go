package egress_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/egress"
)

// obedient answers the first request of each connection at once. Of the others it tells, and answers when it may.
func obedient(t *testing.T) (address string, asked, may chan struct{}, connections func() int64) {
	t.Helper()
	asked, may = make(chan struct{}, 100), make(chan struct{})
	address, count := scripted(t, func(c net.Conn, r *bufio.Reader, _ int) {
		for n := 0; readOne(r); n++ {
			if n > 0 {
				asked <- struct{}{}
				<-may
			}
			if _, err := io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"); err != nil {
				return
			}
		}
	})
	return address, asked, may, count.Load
}

// The end of a context ends an exchange on a connection that had exchanges under the same context before.
func TestContextEndsALaterPost(t *testing.T) {
	t.Parallel()
	address, asked, may, _ := obedient(t)
	defer close(may)
	by := poster(t, local(t))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	_, err := deliver(ctx, by, &egress.Post{URL: mustURL(t, address)})
	require.NoError(t, err)
	go func() {
		<-asked
		cancel()
	}()
	type key struct{}
	made := context.WithValue(ctx, key{}, 1) // ends with it
	_, err = deliver(made, by, &egress.Post{URL: mustURL(t, address)})
	require.ErrorIs(t, err, context.Canceled)
}

// The end of a context of an earlier exchange, before or during a later one, is none of the later one's business.
func TestContextOfAnEarlierPost(t *testing.T) {
	t.Parallel()
	for name, during := range map[string]bool{"ends before": false, "ends during": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			address, asked, may, connections := obedient(t)
			by := poster(t, local(t))
			earlier, end := context.WithCancel(t.Context())
			defer end()
			_, err := deliver(earlier, by, &egress.Post{URL: mustURL(t, address)})
			require.NoError(t, err)
			if !during {
				end()
			}
			go func() {
				<-asked
				end()
				close(may)
			}()
			later, cancel := context.WithCancel(t.Context())
			defer cancel()
			body, err := deliver(later, by, &egress.Post{URL: mustURL(t, address)})
			require.NoError(t, err)
			require.Equal(t, "ok", body)
			require.EqualValues(t, 1, connections())
			body, err = deliver(context.Background(), by, &egress.Post{URL: mustURL(t, address)}) // which never ends
			require.NoError(t, err)
			require.Equal(t, "ok", body)
		})
	}
}
