package chaos

import (
	"fmt"
	"strings"
	"time"
)

// Kind is a way to go wrong.
type Kind string

// The ways to go wrong.
const (
	// Kill is kill -9 by Docker, which does not start the container again: it is away until it is healed.
	Kill Kind = "kill"
	// Crash is kill -9 of the container's process, unknown to Docker: its restart policy brings it back.
	Crash Kind = "crash"
	// Stop asks the container to end, and kills it when it takes longer than Grace; it is away until it is healed.
	Stop Kind = "stop"
	// Restart asks the container to end, and starts it again at once.
	Restart Kind = "restart"
	// Pause has all processes of the container stand still.
	Pause Kind = "pause"
	// OOM has the kernel find that the container's memory is used up, whereupon it kills the largest process in it. A container without a
	// limit is an error.
	OOM Kind = "oom"
	// Disconnect takes the container off Network: its address is gone.
	Disconnect Kind = "disconnect"
	// Loss loses Percent of the packets to the container, and as many of those from it.
	Loss Kind = "loss"
	// Delay keeps packets to the container for Latency.
	Delay Kind = "delay"
	// Bandwidth lets the container send no more than Rate.
	Bandwidth Kind = "bandwidth"
	// Partition loses all packets between the target and Mates on one side, and Away on the other. Nobody is told: connections hang.
	Partition Kind = "partition"
	// Full fills the disk at Path, but for nothing.
	Full Kind = "disk_full"
	// Stall has who writes to the disk at Path wait.
	Stall Kind = "disk_stall"
	// Slow lets the container write no more than Rate to the device that holds Path.
	Slow Kind = "disk_slow"
)

// Fault is something that goes wrong. Which fields matter is said at its kind.
type Fault struct {
	Kind Kind `json:"kind"`
	// Target is the name of a container.
	Target string `json:"target"`
	// Mates and Away are names of containers.
	Mates []string `json:"mates,omitempty"`
	Away  []string `json:"away,omitempty"`
	// Network is the name of one of Docker's.
	Network string `json:"network,omitempty"`
	// Path is where a disk is mounted on this machine.
	Path string `json:"path,omitempty"`
	// Percent is from 1 to 100.
	Percent int `json:"percent,omitempty"`
	// Rate is in bytes a second.
	Rate int `json:"rate,omitempty"`
	// Latency is for how long a packet is kept.
	Latency Span `json:"latency,omitempty"`
	// Grace is how long a container may take to end, in whole seconds; 10 s without it.
	Grace Span `json:"grace,omitempty"`
	// For is how long it lasts. A restart and a crash are over at once; healing makes sure that the container runs.
	For Span `json:"for"`
}

// String says the fault in a few words.
func (f Fault) String() string {
	words := []string{string(f.Kind), f.Target}
	add := func(there bool, format string, args ...any) {
		if there {
			words = append(words, fmt.Sprintf(format, args...))
		}
	}
	add(len(f.Mates) > 0, "with %s", strings.Join(f.Mates, ","))
	add(len(f.Away) > 0, "from %s", strings.Join(f.Away, ","))
	add(f.Percent > 0, "%d%%", f.Percent)
	add(f.Rate > 0, "%d B/s", f.Rate)
	add(f.Latency > 0, "by %s", f.Latency)
	add(true, "for %s", f.For)
	return strings.Join(words, " ")
}

// touches reports whom the fault concerns.
func (f Fault) touches() []string {
	return append(append([]string{f.Target}, f.Mates...), f.Away...)
}

// Span is a length of time that is written as text, such as 1.5s.
type Span time.Duration

// String is that of [time.Duration].
func (s Span) String() string { return time.Duration(s).String() }

// MarshalText writes it as [time.Duration] does.
func (s Span) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads what [time.ParseDuration] reads.
func (s *Span) UnmarshalText(text []byte) error {
	d, err := time.ParseDuration(string(text))
	*s = Span(d)
	return err
}
