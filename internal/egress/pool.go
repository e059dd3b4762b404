package egress

import (
	"sync"
	"time"
)

// pool keeps idle connections, for each receiver those that were used last.
type pool struct {
	perKey int // idle connections to one receiver
	total  int // idle connections to all of them

	mu    sync.Mutex
	idle  map[route][]*h1conn // the last used at the end
	count int
	sweep *time.Timer // closes what is idle for too long; nil when nothing is idle
}

// get takes an idle connection that is still of use, or nil.
func (p *pool) get(to route) *h1conn {
	for {
		c := p.pop(to)
		if c == nil {
			return nil
		}
		if time.Since(c.since) < idleTimeout && c.usable() {
			return c
		}
		c.close()
	}
}

func (p *pool) pop(to route) *h1conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	conns := p.idle[to]
	if len(conns) == 0 {
		return nil
	}
	c := conns[len(conns)-1]
	conns[len(conns)-1] = nil
	p.set(to, conns[:len(conns)-1])
	return c
}

// set keeps the connections of one receiver. The lock is held.
func (p *pool) set(to route, conns []*h1conn) {
	p.count += len(conns) - len(p.idle[to])
	if len(conns) == 0 {
		delete(p.idle, to)
		return
	}
	p.idle[to] = conns
}

// put keeps a connection, or closes it if there are enough to its receiver. If there are enough in all, one to any receiver
// makes room, so that those which are never asked again do not keep out those which are.
func (p *pool) put(c *h1conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	conns := p.idle[c.to]
	if len(conns) >= p.perKey {
		c.close()
		return
	}
	if p.count >= p.total {
		p.makeRoom()
		conns = p.idle[c.to]
	}
	c.since = time.Now()
	if p.idle == nil {
		p.idle = make(map[route][]*h1conn)
	}
	p.set(c.to, append(conns[:len(conns):cap(conns)], c))
	if p.sweep == nil {
		p.sweep = time.AfterFunc(idleTimeout, p.closeOld)
	}
}

// makeRoom closes one connection: the oldest to whichever receiver comes first in a map, which is any. The lock is held.
func (p *pool) makeRoom() {
	for to, conns := range p.idle {
		conns[0].close()
		p.set(to, append([]*h1conn(nil), conns[1:]...))
		return
	}
}

// closeOld closes what has been idle for too long.
func (p *pool) closeOld() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for to, conns := range p.idle {
		old := 0
		for old < len(conns) && time.Since(conns[old].since) >= idleTimeout {
			conns[old].close()
			old++
		}
		p.set(to, append([]*h1conn(nil), conns[old:]...))
	}
	p.sweep = nil
	if p.count > 0 {
		p.sweep = time.AfterFunc(idleTimeout/2, p.closeOld)
	}
}

// closeAll closes every idle connection.
func (p *pool) closeAll() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for to, conns := range p.idle {
		for _, c := range conns {
			c.close()
		}
		p.set(to, nil)
	}
}
