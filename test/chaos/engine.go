package chaos

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
)

// Command is a program with its arguments.
type Command []string

// Run runs a command and returns what it printed. Its error holds what it complained of.
type Run func(ctx context.Context, command Command) (string, error)

// Exec runs commands on this machine.
func Exec(ctx context.Context, command Command) (string, error) {
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return stdout.String(), fmt.Errorf("%s: %w: %s", strings.Join(command, " "), err, strings.TrimSpace(stderr.String()))
	}
	return stdout.String(), nil
}

// Container is what has to be known of one.
type Container struct {
	State struct {
		Running bool
		Pid     int
	}
	HostConfig      struct{ Memory int64 }
	NetworkSettings struct {
		SandboxKey string
		Networks   map[string]struct {
			IPAddress string
			Aliases   []string
		}
	}
}

// ErrNotRunning says that a container has nothing that could go wrong.
var ErrNotRunning = errors.New("the container does not run")

// inspect asks Docker for a container, which has to be there.
func (run Run) inspect(ctx context.Context, name string) (Container, error) {
	out, err := run(ctx, Command{"docker", "container", "inspect", name})
	if err != nil {
		return Container{}, err
	}
	var all []Container
	if err := json.Unmarshal([]byte(out), &all); err != nil || len(all) != 1 {
		return Container{}, errors.Join(fmt.Errorf("docker says %d containers are %s", len(all), name), err)
	}
	return all[0], nil
}

// running asks for a container, which has to run.
func (run Run) running(ctx context.Context, name string) (Container, error) {
	c, err := run.inspect(ctx, name)
	if err == nil && (!c.State.Running || c.State.Pid == 0) {
		err = fmt.Errorf("%s: %w", name, ErrNotRunning)
	}
	return c, err
}

// inside has a command run in the network namespace of the container. It is named by its file, which is gone when the container has
// ended: a process id could be another's by then.
func (c Container) inside(command ...string) Command {
	return append(Command{"nsenter", "--net=" + c.NetworkSettings.SandboxKey}, command...)
}

// addresses are those of the container on all of its networks, sorted.
func (c Container) addresses() []string {
	var all []string
	for _, n := range c.NetworkSettings.Networks {
		if n.IPAddress != "" {
			all = append(all, n.IPAddress)
		}
	}
	slices.Sort(all)
	return all
}
