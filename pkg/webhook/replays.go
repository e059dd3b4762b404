package webhook

import (
	"container/list"
	"context"
	"fmt"
	"sync"
	"time"
)

// Standing is how a webhook stands with a receiver.
type Standing int

// The standings of a webhook.
const (
	// Fresh webhooks have not been handled, and nobody is about to.
	Fresh Standing = iota + 1
	// Busy ones are being handled right now, in another copy.
	Busy
	// Handled ones were handled, and need nothing more.
	Handled
)

// Replays remembers the ids of the webhooks that were handled. [MemoryReplays] does so for one process; receivers with
// several replicas share a store of their own, for example a table or a Redis with set-if-absent. It is asked about
// webhooks only whose signature is right. It must be safe for concurrent use.
type Replays interface {
	// Begin tells how the webhook id stands and, if it is [Fresh], makes it [Busy] for whoever comes next, in one step. A
	// store that outlives the process must take it for fresh again when expires has passed: its claimant may have died.
	Begin(ctx context.Context, id string, expires time.Time) (Standing, error)
	// End ends what a fresh Begin began: the webhook is [Handled], until expires has passed, or [Fresh] again.
	End(ctx context.Context, id string, handled bool, expires time.Time) error
}

// MemoryReplays is a [Replays] in the memory of one process. It holds a bounded number of ids: when it is full, the one
// that was handled first is forgotten before its time. Make one with [NewMemoryReplays].
type MemoryReplays struct {
	most int

	mu    sync.Mutex
	byID  map[string]*remembered
	order *list.List // of *remembered: those that are handled, in the order in which they were
}

// remembered is a webhook in the memory.
type remembered struct {
	id      string
	expires time.Time
	place   *list.Element // in the order; nil while it is being handled
}

// NewMemoryReplays returns an empty memory of at most the given number of ids, at least 1, each of which takes some 300
// bytes. It should be no less than what may arrive within [DefaultRemember].
func NewMemoryReplays(most int) *MemoryReplays {
	return &MemoryReplays{most: max(1, most), byID: map[string]*remembered{}, order: list.New()}
}

// Begin implements [Replays]; what it claims stays [Busy] until End. The error says that the memory is full of webhooks that are being handled.
func (m *MemoryReplays) Begin(_ context.Context, id string, _ time.Time) (Standing, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	if known, ok := m.byID[id]; ok {
		switch {
		case known.place == nil:
			return Busy, nil
		case now.Before(known.expires):
			return Handled, nil
		}
		m.forget(known)
	}
	for oldest := m.oldest(); oldest != nil && (len(m.byID) >= m.most || !now.Before(oldest.expires)); oldest = m.oldest() {
		m.forget(oldest)
	}
	if len(m.byID) >= m.most {
		return 0, fmt.Errorf("webhook: %d webhooks are being handled, which is all that the memory for replays holds", m.most)
	}
	m.byID[id] = &remembered{id: id}
	return Fresh, nil
}

// End implements [Replays]; it never fails.
func (m *MemoryReplays) End(_ context.Context, id string, handled bool, expires time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	known, ok := m.byID[id]
	switch {
	case !ok || known.place != nil: // nobody began it
	case handled:
		known.expires, known.place = expires, m.order.PushBack(known)
	default:
		m.forget(known)
	}
	return nil
}

// oldest returns the webhook that was handled first, nil if there is none.
func (m *MemoryReplays) oldest() *remembered {
	front := m.order.Front()
	if front == nil {
		return nil
	}
	known, _ := front.Value.(*remembered)
	return known
}

// forget removes a webhook from the memory.
func (m *MemoryReplays) forget(known *remembered) {
	delete(m.byID, known.id)
	if known.place != nil {
		m.order.Remove(known.place)
	}
}
