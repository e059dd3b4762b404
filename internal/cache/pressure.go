package cache

// shrunkTo is the part of its bound that a namespace keeps in the process while memory is critical: a sixteenth.
const shrunkTo = 16

// Parts are those of a process that hold memory, and that can do with less; see package memory.
type Parts interface {
	Holds(name string, size func() int64)
	Sheds(name string, shed, resume func())
}

// Register tells the parts of the process how much the cache holds, and that it can do with less: what is used least goes. A nil cache
// holds nothing.
func (c *Cache) Register(parts Parts) {
	if c == nil {
		return
	}
	parts.Holds("cache", c.bytes)
	parts.Sheds("cache", func() { c.bound(shrunkTo) }, func() { c.bound(1) })
}

// bytes returns roughly how much is kept in the process.
func (c *Cache) bytes() int64 {
	var held uint64
	for _, n := range c.namespaces() {
		held += n.near.bytes()
	}
	return int64(held)
}

// bound has every namespace keep no more than a part of its bound in the process.
func (c *Cache) bound(part int64) {
	for _, n := range c.namespaces() {
		n.near.entries.SetMaximum(uint64(max(n.options.MaxBytes/part, 1)))
		n.near.entries.CleanUp()
	}
}
