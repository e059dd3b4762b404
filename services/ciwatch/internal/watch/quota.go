package watch

import (
	"context"
	"encoding/json"
	"time"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/pace"
)

// quotaEvery is how often it is told what is left to the credentials.
const quotaEvery = 30 * time.Second

// tellQuotas writes what is left to the credentials, when it has changed, until ctx ends.
func (w *Watch) tellQuotas(ctx context.Context) error {
	ticker := time.NewTicker(quotaEvery)
	defer ticker.Stop()
	told := map[string]time.Time{}
	failing := false
	for {
		for _, p := range w.plans {
			p.shared(w.leases.Replicas(), time.Now())
		}
		for _, q := range w.Quotas() {
			key := quotaKey(q.Forge, q.Credential)
			if !q.At.After(told[key]) {
				continue
			}
			value, err := json.Marshal(q)
			if err == nil {
				_, err = w.kv.Put(ctx, key, value)
			}
			if err != nil && !failing && ctx.Err() == nil {
				w.log.WarnContext(ctx, "what is left of a quota could not be written; it is tried again", "key", key, "err", err)
			}
			if failing = err != nil; failing {
				break // the others would fail in the same way
			}
			told[key] = q.At
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// Quotas returns what is left to each credential, as this replica was told last.
func (w *Watch) Quotas() []events.CIQuota {
	var all []events.CIQuota
	for _, f := range w.cfg.Forges {
		for _, q := range f.Quotas() {
			if q.Limit == 0 {
				continue
			}
			all = append(all, events.CIQuota{
				Forge: f.Name(), Credential: q.Credential, Limit: q.Limit, Remaining: min(max(q.Remaining, 0), q.Limit), ResetAt: q.Reset.UTC(),
				Budget: int(float64(q.Limit) * w.share()), Spent: max(q.Spent, 0), At: q.At.UTC(),
			})
		}
	}
	return all
}

// share is the part of a limit that is used.
func (w *Watch) share() float64 {
	if w.cfg.Pace.Share > 0 && w.cfg.Pace.Share <= 1 {
		return w.cfg.Pace.Share
	}
	return pace.DefaultShare
}
