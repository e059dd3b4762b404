package attemptlog

import (
	"slices"
	"sync"
)

// Bounds of what waits to be published.
const (
	maxBatchRecords = 256
	maxBatchBytes   = 128 << 10
	maxWaiting      = 8 << 20 // bytes of all batches, those on their way included; what comes on top is lost
	headroom        = 4 << 10 // of the largest message, for its headers
	firstSize       = 1 << 10 // of a batch; it doubles as it grows
)

// batch is a message in the making: a JSON array of records of one endpoint.
type batch struct {
	endpoint string
	body     []byte
	records  int
	limit    int // of body
}

// pending is the batches that wait: open ones, by endpoint, and ready ones, in the order in which they became so. It is
// safe for concurrent use.
type pending struct {
	mu      sync.Mutex
	open    map[string]*batch
	ready   []*batch
	waiting int // bytes that the batches hold, including those that next gave out and done did not take back
	closed  bool
}

// add puts the text of a record into the open batch of its endpoint. It reports whether there was room for it, and whether
// a batch became ready.
func (p *pending) add(endpoint string, text []byte, maxPayload func() int64) (kept, full bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || p.waiting+len(text) > maxWaiting {
		return false, false
	}
	b := p.open[endpoint]
	if b != nil && len(b.body)+len(text)+2 > b.limit {
		p.seal(b)
		b, full = nil, true
	}
	if b == nil {
		b = &batch{endpoint: endpoint, limit: maxBatchBytes}
		if most := maxPayload(); most > 0 {
			b.limit = min(b.limit, max(int(min(most, maxBatchBytes+headroom))-headroom, 0))
		}
		if len(text)+2 > b.limit { // the server takes next to nothing
			return false, full
		}
		p.open[endpoint] = b
	}
	before := cap(b.body)
	if need := len(text) + 2; cap(b.body)-len(b.body) < need {
		b.body = slices.Grow(b.body, max(need, firstSize, min(cap(b.body), b.limit-len(b.body))))
	}
	p.waiting += cap(b.body) - before
	b.body = append(b.body, separator(b))
	b.body = append(b.body, text...)
	if b.records++; b.records >= maxBatchRecords {
		p.seal(b)
		full = true
	}
	return true, full
}

// separator is what stands before the next record of a batch.
func separator(b *batch) byte {
	if b.records == 0 {
		return '['
	}
	return ','
}

// seal makes an open batch ready.
func (p *pending) seal(b *batch) {
	b.body = append(b.body, ']') // add left room for it
	delete(p.open, b.endpoint)
	p.ready = append(p.ready, b)
}

// flush makes all open batches ready.
func (p *pending) flush() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, b := range p.open {
		p.seal(b)
	}
}

// close does the same, and takes nothing more.
func (p *pending) close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.flush()
}

// next gives out the batch that has been ready for longest, or nil.
func (p *pending) next() *batch {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.ready) == 0 {
		p.ready = nil // what it grew to in worse times
		return nil
	}
	b := p.ready[0]
	p.ready[0] = nil
	p.ready = p.ready[1:]
	return b
}

// done takes a batch back that next gave out: its bytes wait no more.
func (p *pending) done(b *batch) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.waiting -= cap(b.body)
}
