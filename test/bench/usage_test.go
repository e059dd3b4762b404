package bench_test

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// clockTick is the unit of CPU times in /proc; Linux has no other for programs.
const clockTick = 10 * time.Millisecond

// usage is CPU time by process.
type usage struct {
	nats, dispatchers, self, sink time.Duration
	machine                       time.Duration // everything that ran on it
}

// usage reads what each process has used so far.
func (s *stack) usage(b *testing.B) usage {
	b.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	u := usage{nats: cpu(b, s.nats.PID()), sink: cpu(b, s.sink.PID()), self: cpu(b, os.Getpid()), machine: machineCPU(b)}
	for _, d := range s.dispatchers {
		u.dispatchers += cpu(b, d.PID())
	}
	return u
}

// since is what was used after before.
func (u usage) since(before usage) usage {
	return usage{
		nats: u.nats - before.nats, dispatchers: u.dispatchers - before.dispatchers, self: u.self - before.self,
		sink: u.sink - before.sink, machine: u.machine - before.machine,
	}
}

// others is what ran that has nothing to do with the benchmark.
func (u usage) others() time.Duration { return max(u.machine-u.nats-u.dispatchers-u.self-u.sink, 0) }

// cpu reads the user and system time of a process.
func cpu(b *testing.B, pid int) time.Duration {
	b.Helper()
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	require.NoError(b, err, "CPU and memory are read from /proc, as Linux has it")
	_, rest, _ := bytes.Cut(stat, []byte(") ")) // behind the name, which may hold anything
	fields := strings.Fields(string(rest))
	return ticks(b, fields[11]) + ticks(b, fields[12])
}

// machineCPU reads the time in which the processors were busy.
func machineCPU(b *testing.B) time.Duration {
	b.Helper()
	stat, err := os.ReadFile("/proc/stat")
	require.NoError(b, err)
	line, _, _ := strings.Cut(string(stat), "\n")
	fields := strings.Fields(line) // cpu user nice system idle iowait irq softirq steal
	var busy time.Duration
	for i := 1; i < min(len(fields), 9); i++ {
		if i != 4 && i != 5 {
			busy += ticks(b, fields[i])
		}
	}
	return busy
}

func ticks(b *testing.B, text string) time.Duration {
	b.Helper()
	n, err := strconv.ParseInt(text, 10, 64)
	require.NoError(b, err)
	return time.Duration(n) * clockTick
}

// memory is the most that processes held, in MiB: shared pages count for their share (PSS).
type memory struct {
	nats, dispatchers, together float64
}

// watchMemory looks at the memory of all processes until it is stopped, which returns the peaks.
func (s *stack) watchMemory(b *testing.B) (stop func() memory) {
	b.Helper()
	var most memory
	var watching sync.WaitGroup
	end := make(chan struct{})
	watching.Go(func() {
		tick := time.NewTicker(250 * time.Millisecond)
		defer tick.Stop()
		for {
			now := s.memory()
			most.nats, most.dispatchers = max(most.nats, now.nats), max(most.dispatchers, now.dispatchers)
			most.together = max(most.together, now.together)
			select {
			case <-tick.C:
			case <-end:
				return
			}
		}
	})
	return sync.OnceValue(func() memory {
		close(end)
		watching.Wait()
		return most
	})
}

// memory is what the processes hold now.
func (s *stack) memory() memory {
	s.mu.Lock()
	dispatchers := slices.Clone(s.dispatchers)
	s.mu.Unlock()
	m := memory{nats: pss(s.nats.PID())}
	for _, d := range dispatchers {
		m.dispatchers += pss(d.PID())
	}
	m.together = m.nats + m.dispatchers
	return m
}

// pss reads the memory of a process in MiB; 0 of one that is gone.
func pss(pid int) float64 {
	rollup, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/smaps_rollup")
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(rollup), "\nPss:")
	var kib float64
	if _, err := fmt.Sscanf(rest, "%f kB", &kib); err != nil {
		return 0
	}
	return kib / 1024
}

// peakRSS reads the most memory that a process has held so far, in MiB.
func peakRSS(b *testing.B, pid int) float64 {
	b.Helper()
	return statusMiB(b, pid, "VmHWM")
}

// statusMiB reads a size out of the status of a process, in MiB.
func statusMiB(b *testing.B, pid int, field string) float64 {
	b.Helper()
	status, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	require.NoError(b, err)
	_, rest, _ := strings.Cut(string(status), field+":")
	var kib float64
	_, err = fmt.Sscanf(rest, "%f kB", &kib)
	require.NoError(b, err)
	return kib / 1024
}
