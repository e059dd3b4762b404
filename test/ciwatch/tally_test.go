package ciwatch_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
)

// tally counts moments of death. It is safe for concurrent use.
type tally struct {
	mu      sync.Mutex
	all     int
	count   map[string]int // by operation
	moments map[string]bool
}

// add counts one: the operation at which the fuse has burnt, empty for none, how, and the number of the operation.
func (c *tally) add(burnt, how string, at int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.count == nil {
		c.count, c.moments = map[string]int{}, map[string]bool{}
	}
	c.all++
	if burnt != "" {
		c.count[burnt+", "+how]++
		c.moments[fmt.Sprint(burnt, how, at)] = true
	}
}

// String is what is logged in the end.
func (c *tally) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	died, lines := 0, []string{}
	for name, n := range c.count {
		died += n
		lines = append(lines, fmt.Sprintf("%4d %s", n, name))
	}
	slices.Sort(lines)
	return fmt.Sprintf("%d of %d, in %d ways at %d moments:\n%s", died, c.all, len(c.count), len(c.moments), strings.Join(lines, "\n"))
}
