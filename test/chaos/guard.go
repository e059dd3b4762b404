package chaos

import (
	"fmt"
	"io"
	"os/exec"
	"strings"
	"syscall"
)

// guard heals a fault if this process ends before it has done so, whichever way it ends: a shell, in a process group of its own so that
// Ctrl-C does not reach it, reads from a pipe whose other end is here.
type guard struct {
	shell *exec.Cmd
	pipe  io.WriteCloser
}

// watch starts a guard that runs commands, all of them even if some fail.
func watch(heal []Command) (*guard, error) {
	var script strings.Builder
	script.WriteString("trap '' INT TERM HUP; read -r done && exit 0; exec >/dev/null 2>&1\n")
	for _, command := range heal {
		for _, word := range command {
			script.WriteString("'" + strings.ReplaceAll(word, "'", `'\''`) + "' ")
		}
		script.WriteString("\n")
	}
	g := &guard{shell: exec.Command("sh", "-c", script.String())} //nolint:noctx // it has to outlive every context
	g.shell.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var err error
	if g.pipe, err = g.shell.StdinPipe(); err != nil {
		return nil, fmt.Errorf("guard: %w", err)
	}
	if err := g.shell.Start(); err != nil {
		return nil, fmt.Errorf("guard: %w", err)
	}
	return g, nil
}

// release ends the guard without healing.
func (g *guard) release() error {
	_, err := io.WriteString(g.pipe, "done\n")
	if err != nil {
		err = fmt.Errorf("guard: %w", err)
	}
	if ended := g.shell.Wait(); ended != nil && err == nil {
		err = fmt.Errorf("guard: %w", ended)
	}
	return err
}
