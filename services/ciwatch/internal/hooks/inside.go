package hooks

import "sync"

// inside counts requests, so that one can wait until there are none. The zero value has none.
type inside struct {
	mu    sync.Mutex
	count int
	empty chan struct{} // made when the door is shut, closed when all have left
}

// enter counts one more, unless the door is shut.
func (i *inside) enter() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.empty != nil {
		return false
	}
	i.count++
	return true
}

// leave counts one less.
func (i *inside) leave() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.count--
	if i.empty != nil && i.count == 0 {
		close(i.empty)
	}
}

// shut lets nobody in any more and waits until all have left.
func (i *inside) shut() {
	i.mu.Lock()
	empty := make(chan struct{})
	i.empty = empty
	if i.count == 0 {
		close(empty)
	}
	i.mu.Unlock()
	<-empty
}
