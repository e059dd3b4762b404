package lease

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
)

// errOver says that a claim is over: somebody else has the key, nobody has, or somebody may have by now.
var errOver = errors.New("the lease is over")

// record is the value of a key.
type record struct {
	// Holder is the replica's name.
	Holder string `json:"holder"`
}

// claim is a key that this replica has written, or is about to. It is for one goroutine.
type claim struct {
	kv     *bus.KV
	key    string
	holder string
	ttl    time.Duration

	revision uint64
	until    time.Time // nobody else may have the key before that
}

func newClaim(kv *bus.KV, key, holder string, ttl time.Duration) *claim {
	return &claim{kv: kv, key: key, holder: holder, ttl: ttl}
}

// take writes the key over a revision that is nobody's any more; 0 is no value.
func (c *claim) take(ctx context.Context, revision uint64) error {
	began := time.Now()
	ctx, cancel := c.inTime(ctx)
	defer cancel()
	value, err := json.Marshal(record{Holder: c.holder})
	if err != nil {
		return fmt.Errorf("writing a lease as JSON: %w", err)
	}
	if revision == 0 {
		revision, err = c.kv.Create(ctx, c.key, value)
	} else {
		revision, err = c.kv.Update(ctx, c.key, value, revision)
	}
	if err != nil {
		return err
	}
	c.revision, c.until = revision, began.Add(c.ttl-c.ttl/10)
	return nil
}

// renew writes the key again, and returns [errOver] when it is too late for that. After another error it may be called again.
func (c *claim) renew(ctx context.Context) error {
	if !before(time.Now(), c.until) {
		return errOver
	}
	err := c.take(ctx, c.revision)
	if !errors.Is(err, bus.ErrConflict) {
		return err
	}
	// Perhaps it was ourselves: a write that was answered too late, or not at all, may still have been made.
	if err := c.adopt(ctx); err != nil {
		return err
	}
	return c.take(ctx, c.revision)
}

// adopt takes the key's revision as it is, if the key is in our name and was for all the time.
func (c *claim) adopt(ctx context.Context) error {
	ctx, cancel := c.inTime(ctx)
	defer cancel()
	value, revision, err := c.kv.Get(ctx, c.key)
	switch {
	case errors.Is(err, bus.ErrNotFound):
		return errOver
	case err != nil:
		return err
	case holderOf(value) != c.holder || !before(time.Now(), c.until):
		return errOver
	}
	c.revision = revision
	return nil
}

// release takes the key away, so that others need not wait. If it fails, they wait.
func (c *claim) release(ctx context.Context) error {
	err := c.remove(ctx)
	if !errors.Is(err, bus.ErrConflict) {
		return err
	}
	if err := c.adopt(ctx); err != nil {
		return err
	}
	return c.remove(ctx)
}

func (c *claim) remove(ctx context.Context) error {
	ctx, cancel := c.inTime(ctx)
	defer cancel()
	return c.kv.Delete(ctx, c.key, c.revision)
}

// inTime bounds one request, so that there is time for another. What was begun is finished, even when we are to stop.
func (c *claim) inTime(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), c.ttl/3)
}

// holderOf reads a key's value; what cannot be read is nobody's that we know.
func holderOf(value []byte) string {
	var r record
	if len(value) > 4096 || json.Unmarshal(value, &r) != nil {
		return ""
	}
	return r.Holder
}
