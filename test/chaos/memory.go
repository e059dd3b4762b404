package chaos

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// glutton joins a control group and eats memory there, up to a bound. The container's process is made the first victim; the glutton is the
// next, and ends by itself soon.
const glutton = `echo 1000 > "/proc/$2/oom_score_adj" && echo $$ > "$0/cgroup.procs" && { timeout 5 head -c "$1" /dev/zero | timeout 5 tail -c "$1" > /dev/null; true; }`

// oom uses up the memory of a container.
func (f Fault) oom(ctx context.Context, run Run) (steps, error) {
	c, err := run.running(ctx, f.Target)
	if err != nil {
		return steps{}, err
	}
	if c.HostConfig.Memory == 0 {
		return steps{}, fmt.Errorf("%s has no limit of memory", f.Target)
	}
	group, _, err := controlGroup(c.State.Pid, "memory")
	if err != nil {
		return steps{}, err
	}
	return steps{inject: []Command{{"sh", "-c", glutton, group, strconv.FormatInt(c.HostConfig.Memory, 10), strconv.Itoa(c.State.Pid)}}, heal: f.start()}, nil
}

// controlGroup returns the folder of a process's control group, and whether it is one of version 2.
func controlGroup(pid int, controller string) (folder string, v2 bool, err error) {
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "cgroup"))
	if err != nil {
		return "", false, fmt.Errorf("control group: %w", err)
	}
	below, v2, err := readControlGroup(string(text), controller)
	if v2 {
		return filepath.Join("/sys/fs/cgroup", below), v2, err
	}
	return filepath.Join("/sys/fs/cgroup", controller, below), v2, err
}

// readControlGroup reads /proc/PID/cgroup (cgroups(7)).
func readControlGroup(text, controller string) (below string, v2 bool, err error) {
	unified, found := "", false
	for line := range strings.Lines(text) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) != 3 {
			continue
		}
		for of := range strings.SplitSeq(parts[1], ",") {
			if of == controller {
				return parts[2], false, nil
			}
		}
		if parts[0] == "0" && parts[1] == "" {
			unified, found = parts[2], true
		}
	}
	if !found {
		return "", false, fmt.Errorf("control group: there is no %s in %q", controller, text)
	}
	return unified, true, nil
}
