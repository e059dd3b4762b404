package lease_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/lease"
)

// recorder sees every lease of a test, and whether two of a shard are ever valid at one time.
type recorder struct {
	mu      sync.Mutex
	leases  map[int][]*lease.Lease // by shard, in the order in which they were gained
	working map[int]map[string]int // by shard and replica
	faults  []string
	most    int // that worked on a shard at a time
}

// record starts a recorder that looks all the time, and fails the test for what it saw.
func record(t *testing.T) *recorder {
	t.Helper()
	r := &recorder{leases: make(map[int][]*lease.Lease), working: make(map[int]map[string]int)}
	stop := make(chan struct{})
	var looking sync.WaitGroup
	looking.Go(func() {
		for ticker := time.NewTicker(2 * time.Millisecond); ; {
			select {
			case <-stop:
				ticker.Stop()
				return
			case <-ticker.C:
				r.look()
			}
		}
	})
	t.Cleanup(func() {
		close(stop)
		looking.Wait()
		require.Empty(t, r.faults)
	})
	return r
}

// look looks for two valid leases of one shard. Both were gained before, so if one is valid and after that the other is, both were.
func (r *recorder) look() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for shard, leases := range r.leases {
		valid := 0
		for _, l := range leases {
			if l.Valid() {
				valid++
			}
		}
		if valid > 1 {
			r.fault("shard %d has %d valid leases", shard, valid)
		}
	}
}

func (r *recorder) fault(format string, args ...any) {
	if len(r.faults) < 10 {
		r.faults = append(r.faults, fmt.Sprintf(format, args...))
	}
}

// gained records a lease; one that is over already, because its work was late to begin, says nothing about its order.
func (r *recorder) gained(replica string, l *lease.Lease) {
	r.mu.Lock()
	defer r.mu.Unlock()
	leases := r.leases[l.Shard]
	for _, before := range leases {
		if before.Valid() && l.Valid() {
			r.fault("shard %d: lease %d is valid when %d is gained", l.Shard, before.Fence, l.Fence)
		}
		if before.Fence >= l.Fence && l.Valid() {
			r.fault("shard %d: lease %d comes after %d", l.Shard, l.Fence, before.Fence)
		}
	}
	r.leases[l.Shard] = append(leases[max(0, len(leases)-20):len(leases):len(leases)], l)
	if r.working[l.Shard] == nil {
		r.working[l.Shard] = make(map[string]int)
	}
	r.working[l.Shard][replica]++
	r.most = max(r.most, len(r.working[l.Shard]), r.working[l.Shard][replica])
}

func (r *recorder) ended(replica string, shard int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.working[shard][replica]--
	if r.working[shard][replica] == 0 {
		delete(r.working[shard], replica)
	}
}

// lead is work that does nothing until it is to end.
func (r *recorder) lead(replica string) func(context.Context, lease.Lease) {
	return func(ctx context.Context, l lease.Lease) {
		r.gained(replica, &l)
		<-ctx.Done()
		r.ended(replica, l.Shard)
	}
}

// last returns the last lease of a shard; nil for none.
func (r *recorder) last(shard int) *lease.Lease {
	r.mu.Lock()
	defer r.mu.Unlock()
	leases := r.leases[shard]
	if len(leases) == 0 {
		return nil
	}
	return leases[len(leases)-1]
}

// shares returns how many shards each replica works on.
func (r *recorder) shares() map[string]int {
	r.mu.Lock()
	defer r.mu.Unlock()
	shares := make(map[string]int)
	for _, replicas := range r.working {
		for replica := range replicas {
			shares[replica]++
		}
	}
	return shares
}

// atOnce returns how many have worked on a shard at a time, at most.
func (r *recorder) atOnce() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.most
}
