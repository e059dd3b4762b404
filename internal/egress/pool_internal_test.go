package egress

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

// Receivers that are never asked again do not keep out those that are, and the bounds hold.
func TestPoolBounds(t *testing.T) {
	t.Parallel()
	p := pool{perKey: 2, total: 8}
	t.Cleanup(p.closeAll)
	open := map[*pipe]bool{}
	put := func(key string) {
		made := new(pipe)
		open[made] = true
		p.put(newH1conn(made, route{host: key}))
	}
	for i := range 20 {
		put(strconv.Itoa(i))
	}
	for range 3 {
		put("wanted")
	}
	require.NotEmpty(t, p.idle[route{host: "wanted"}])
	require.LessOrEqual(t, len(p.idle[route{host: "wanted"}]), 2)
	idle, count := 0, 0
	for _, conns := range p.idle {
		count += len(conns)
	}
	for c := range open {
		if !c.closed {
			idle++
		}
	}
	require.Equal(t, 8, idle)
	require.Equal(t, 8, count)
	require.Equal(t, 8, p.count)
	require.NotNil(t, p.get(route{host: "wanted"}))
	p.closeAll()
	require.Empty(t, p.idle)
	require.Zero(t, p.count)
}
