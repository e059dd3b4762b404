package bus

import "context"

// Copies is how many servers of a cluster hold a stream, with its consumers.
type Copies struct {
	// Want is what the stream is configured for; Current those that have all that is stored, the leader included.
	Want, Current int
	// Leader is the server that leads the stream; empty while there is none, and on a server that is alone.
	Leader string
}

// Done reports whether there are as many as are wanted, and no more.
func (c Copies) Done() bool { return c.Current == c.Want }

// Copies returns how many servers hold a stream, by its real name.
func (b *Bus) Copies(ctx context.Context, name string) (Copies, error) {
	stream, err := b.js.Stream(ctx, name)
	if err != nil {
		return Copies{}, assetError("stream", name, err)
	}
	info := stream.CachedInfo()
	c := Copies{Want: info.Config.Replicas, Current: 1}
	if info.Cluster == nil {
		return c, nil
	}
	if c.Leader = info.Cluster.Leader; c.Leader == "" {
		c.Current = 0
	}
	for _, r := range info.Cluster.Replicas {
		if r.Current && !r.Offline {
			c.Current++
		}
	}
	return c, nil
}
