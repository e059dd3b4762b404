package chaos

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"
)

// What a line of a log tells of a fault.
const (
	// Planned faults come first, all of them: what is replayed.
	EventPlanned = "planned"
	// Injected faults are there from now on. With an error, only a part may be.
	EventInjected = "injected"
	// Healed faults are no more. With an error they may be.
	EventHealed = "healed"
)

// Line is a line of a log.
type Line struct {
	Time  time.Time `json:"time"`
	Event string    `json:"event"`
	Seed  uint64    `json:"seed"`
	// Index is the number of the fault in its plan, from 0.
	Index int `json:"index"`
	Planned
	// Took is how long it took to inject or heal it.
	Took  Span   `json:"took,omitempty"`
	Error string `json:"error,omitempty"`
}

// journal writes lines. It is safe for concurrent use.
type journal struct {
	mu    sync.Mutex
	to    io.Writer
	lines []Line
	err   error // the first that writing met
}

func (j *journal) add(l Line) {
	j.mu.Lock()
	defer j.mu.Unlock()
	l.Time = time.Now().UTC()
	j.lines = append(j.lines, l)
	if err := json.NewEncoder(j.to).Encode(l); err != nil && j.err == nil {
		j.err = fmt.Errorf("log of faults: %w", err)
	}
}

// Replay reads the plan that a log was written for.
func Replay(log io.Reader) (Plan, error) {
	var plan Plan
	lines := bufio.NewScanner(log)
	for lines.Scan() {
		var l Line
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			return Plan{}, fmt.Errorf("log of faults: %w", err)
		}
		if l.Event == EventPlanned {
			plan.Seed = l.Seed
			plan.Faults = append(plan.Faults, l.Planned)
		}
	}
	if err := lines.Err(); err != nil {
		return Plan{}, fmt.Errorf("log of faults: %w", err)
	}
	if len(plan.Faults) == 0 {
		return Plan{}, errors.New("log of faults: there is no plan in it")
	}
	return plan, nil
}
