package canary_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/test/process"
)

const (
	// piece is how much of a text is looked for at a time, in bytes: what is left of a value may be no more than a part of it.
	piece = 16
	// window is how much memory is read at a time, in bytes.
	window = 4 << 20
)

// requireWiped checks that nothing of a secret is in the memory of a process that gave it out, and that it would be found.
func requireWiped(t *testing.T, p *process.Process, canary, control string) {
	t.Helper()
	require.NotEmpty(t, remains(t, p, pieces(control)), "what is in the memory is found")
	for late := time.Now().Add(process.Patience); ; <-time.After(100 * time.Millisecond) { // the last reply may come before its end
		left := remains(t, p, pieces(canary))
		if len(left) == 0 {
			return
		}
		require.True(t, time.Now().Before(late), "it is still in the memory, though nobody asks: %s", left)
	}
}

// pieces are the parts of the forms of a text in which a process may hold it, each longer than chance.
func pieces(text string) map[string][]byte {
	all := map[string][]byte{}
	for form, written := range forms(text) {
		size := piece * max(len(written)/len(text), 1)
		for at := 0; at+size <= len(written); at += size / 2 {
			all[fmt.Sprintf("%s, from %d on", form, at)] = []byte(written[at : at+size])
		}
	}
	return all
}

// remains returns which of the patterns are in what a process can write to: its heap, its stacks, its data. It stands still
// meanwhile. Who may read it is who may debug it: its parent, on most systems.
func remains(t *testing.T, p *process.Process, patterns map[string][]byte) []string {
	t.Helper()
	require.NoError(t, syscall.Kill(p.PID(), syscall.SIGSTOP))
	defer func() { require.NoError(t, syscall.Kill(p.PID(), syscall.SIGCONT)) }()
	memory, err := os.Open(fmt.Sprintf("/proc/%d/mem", p.PID()))
	require.NoError(t, err)
	defer memory.Close()
	var found []string
	overlap := 0
	for _, pattern := range patterns {
		overlap = max(overlap, len(pattern)-1)
	}
	buf, total := make([]byte, window+overlap), 0
	for _, r := range writable(t, p) {
		for at := r.from; at < r.to; at += window {
			n, err := memory.ReadAt(buf[:min(int64(len(buf)), r.to-at)], at)
			if err != nil && n == 0 {
				require.ErrorIs(t, err, syscall.EIO, "%s", r.name) // a page that is not there
				continue
			}
			total += n
			for name, pattern := range patterns {
				if i := bytes.Index(buf[:n], pattern); i >= 0 {
					found = append(found, fmt.Sprintf("%s: in %s at %x: %q", name, r.name, at+int64(i), around(buf[:n], i, len(pattern))))
				}
			}
		}
	}
	require.Greater(t, total, 1<<20, "the memory was read")
	return found
}

// around returns what stands beside a piece of memory.
func around(memory []byte, at, size int) []byte {
	return memory[max(at-64, 0):min(at+size+64, len(memory))]
}

// region is a part of the memory of a process.
type region struct {
	from, to int64
	name     string
}

// writable lists the regions that a process can write to (proc_pid_maps(5)).
func writable(t *testing.T, p *process.Process) []region {
	t.Helper()
	maps, err := os.Open(fmt.Sprintf("/proc/%d/maps", p.PID()))
	require.NoError(t, err)
	defer maps.Close()
	var all []region
	lines := bufio.NewScanner(io.LimitReader(maps, 16<<20))
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) < 2 || !strings.HasPrefix(fields[1], "rw") {
			continue
		}
		r := region{name: strings.Join(fields, " ")}
		_, err := fmt.Sscanf(fields[0], "%x-%x", &r.from, &r.to)
		require.NoError(t, err, r.name)
		all = append(all, r)
	}
	require.NoError(t, lines.Err())
	return all
}
