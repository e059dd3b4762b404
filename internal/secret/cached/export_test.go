package cached

import "fmt"

// Consistent says what is wrong with what the cache keeps, when nothing is on its way.
func (c *Cache) Consistent() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var bytes int64
	listed := 0
	for e := c.recent.newest; e != nil; e = e.older {
		listed++
		bytes += e.weight()
		switch {
		case c.entries[e.ref] != e || c.agenda[e.place] != e:
			return fmt.Errorf("%s is not where it should be", e.ref)
		case e.flight != nil:
			return fmt.Errorf("%s waits for a call", e.ref)
		case e.box != nil && e.box.holders.Load() != 1:
			return fmt.Errorf("%s has a value with %d holders", e.ref, e.box.holders.Load())
		}
	}
	if listed != len(c.entries) || listed != len(c.agenda) || bytes != c.bytes || c.background != 0 || len(c.entries) > c.cfg.MaxEntries {
		return fmt.Errorf("%d in order of use, %d in the agenda, %d in the map, %d of %d bytes, %d calls in the background",
			listed, len(c.agenda), len(c.entries), c.bytes, bytes, c.background)
	}
	return nil
}
