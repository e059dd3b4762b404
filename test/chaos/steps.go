package chaos

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"time"
)

// steps are how a fault is made and healed. Healing may be done twice, and when only a part of the fault was made.
type steps struct {
	inject []Command
	heal   []Command
	// hold is what has to go on in this process meanwhile, if something has to. It starts before inject.
	hold func() (io.Closer, error)
}

// steps finds out how to make a fault of the containers as they are now.
func (f Fault) steps(ctx context.Context, run Run) (steps, error) {
	switch f.Kind {
	case Kill:
		return steps{inject: []Command{{"docker", "kill", "--signal", "KILL", f.Target}}, heal: f.start()}, nil
	case Stop:
		return steps{inject: []Command{{"docker", "stop", "--time", f.grace(), f.Target}}, heal: f.start()}, nil
	case Restart:
		return steps{inject: []Command{{"docker", "restart", "--time", f.grace(), f.Target}}, heal: f.start()}, nil
	case Pause:
		return steps{inject: []Command{{"docker", "pause", f.Target}}, heal: []Command{{"docker", "unpause", f.Target}}}, nil
	case Crash:
		c, err := run.running(ctx, f.Target)
		return steps{inject: []Command{{"kill", "-KILL", strconv.Itoa(c.State.Pid)}}, heal: f.start()}, err
	case OOM:
		return f.oom(ctx, run)
	case Disconnect:
		return f.disconnect(ctx, run)
	case Loss, Delay, Bandwidth:
		return f.onPackets(ctx, run)
	case Partition:
		return f.partition(ctx, run)
	case Full, Stall:
		return f.onDisk(), nil
	case Slow:
		return f.slow(ctx, run)
	default:
		return steps{}, fmt.Errorf("%q is no kind of fault", f.Kind)
	}
}

// start starts the container if it does not run.
func (f Fault) start() []Command { return []Command{{"docker", "start", f.Target}} }

// grace is what Docker is told.
func (f Fault) grace() string {
	if f.Grace == 0 {
		return "10"
	}
	return strconv.Itoa(int(time.Duration(f.Grace) / time.Second))
}
