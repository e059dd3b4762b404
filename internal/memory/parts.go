package memory

import (
	"cmp"
	"slices"
	"sync"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Parts are the parts of a process that hold memory, and those that can do with less. The zero value has none, and a nil one takes
// none. It is safe for concurrent use. What is registered under a name takes the place of what was registered under it before.
type Parts struct {
	root   *Parts // where everything is kept; nil is here
	prefix string

	mu       sync.Mutex
	sizes    map[string]func() int64
	loads    map[string]load
	shedding bool
}

// load is a load that can be shed.
type load struct{ shed, resume func() }

// Sub returns the parts of one of several services in this process: their names begin with its own.
func (p *Parts) Sub(service string) *Parts {
	return &Parts{root: p.top(), prefix: p.prefix + service + ": "}
}

// top returns where everything is kept.
func (p *Parts) top() *Parts {
	if p.root != nil {
		return p.root
	}
	return p
}

// Holds registers a part that holds memory. size says about how many bytes; it is called now and then, and must be quick.
func (p *Parts) Holds(name string, size func() int64) {
	if p == nil {
		return
	}
	top := p.top()
	top.mu.Lock()
	defer top.mu.Unlock()
	if top.sizes == nil {
		top.sizes = map[string]func() int64{}
	}
	top.sizes[p.prefix+name] = size
}

// Sheds registers a load that the process can do without when its memory is critical: shed is called then, and resume when that is
// over. Neither may block, or call the parts. If memory is critical now, shed is called at once.
func (p *Parts) Sheds(name string, shed, resume func()) {
	if p == nil {
		return
	}
	top := p.top()
	top.mu.Lock()
	defer top.mu.Unlock()
	if top.loads == nil {
		top.loads = map[string]load{}
	}
	top.loads[p.prefix+name] = load{shed, resume}
	if top.shedding {
		shed()
	}
}

// shed calls all that sheds, or that resumes.
func (p *Parts) shed(on bool) {
	top := p.top()
	top.mu.Lock()
	defer top.mu.Unlock()
	top.shedding = on
	for _, l := range top.loads {
		if on {
			l.shed()
		} else {
			l.resume()
		}
	}
}

// largest returns the parts that hold most, the largest first, without those that hold nothing.
func (p *Parts) largest(n int) []events.MemoryConsumer {
	top := p.top()
	top.mu.Lock()
	defer top.mu.Unlock()
	var all []events.MemoryConsumer
	for name, size := range top.sizes {
		if bytes := size(); bytes > 0 {
			all = append(all, events.MemoryConsumer{Name: name, Bytes: bytes})
		}
	}
	slices.SortFunc(all, func(a, b events.MemoryConsumer) int {
		return cmp.Or(cmp.Compare(b.Bytes, a.Bytes), cmp.Compare(a.Name, b.Name))
	})
	return all[:min(n, len(all))]
}
