package bus

import "sync"

// maxIdleHands is how many goroutines wait for requests at the most: as many stacks are kept.
const maxIdleHands = 64

// hands are goroutines that handle requests, one at a time each. One that is done waits for the next request: a goroutine for each
// would grow its stack every time anew. The last that became idle is the first to be used, so that the stacks of those that are not
// needed can be taken away.
type hands struct {
	handle func(e *endpoint, r *Request)
	all    sync.WaitGroup

	mu   sync.Mutex
	idle []chan job
	gone bool
}

// job is a request at an endpoint.
type job struct {
	endpoint *endpoint
	request  *Request
}

// give has a request handled at once.
func (h *hands) give(j job) {
	h.mu.Lock()
	if last := len(h.idle) - 1; last >= 0 {
		hand := h.idle[last]
		h.idle[last] = nil
		h.idle = h.idle[:last]
		h.mu.Unlock()
		hand <- j // which waits for it
		return
	}
	h.mu.Unlock()
	h.all.Go(func() { h.work(j) })
}

// work handles a request, and then what it is given.
func (h *hands) work(j job) {
	next := make(chan job, 1)
	for more := true; more; {
		h.handle(j.endpoint, j.request)
		j.endpoint, j.request = nil, nil // what waits holds nothing
		if !h.wait(next) {
			return
		}
		j, more = <-next
	}
}

// wait makes a goroutine one that waits, unless there are enough of them.
func (h *hands) wait(next chan job) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.gone || len(h.idle) >= maxIdleHands {
		return false
	}
	h.idle = append(h.idle, next)
	return true
}

// dismiss ends those that wait, and has the others end with the request that they have. Requests can still be given.
func (h *hands) dismiss() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.gone = true
	for _, hand := range h.idle {
		close(hand)
	}
	h.idle = nil
}
