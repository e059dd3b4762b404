package chaos

import (
	"context"
	"fmt"
	"strconv"
	"strings"
)

// mark is the comment of our rules.
const mark = "chaos"

// disconnect takes a container off a network. It comes back under the same address and names.
func (f Fault) disconnect(ctx context.Context, run Run) (steps, error) {
	c, err := run.running(ctx, f.Target)
	if err != nil {
		return steps{}, err
	}
	on, ok := c.NetworkSettings.Networks[f.Network]
	if !ok {
		return steps{}, fmt.Errorf("%s is not on the network %s", f.Target, f.Network)
	}
	connect := Command{"docker", "network", "connect"}
	for _, alias := range on.Aliases {
		if !strings.HasPrefix(f.Target, alias) { // the short id, which Docker adds by itself
			connect = append(connect, "--alias", alias)
		}
	}
	return steps{
		inject: []Command{{"docker", "network", "disconnect", "--force", f.Network, f.Target}},
		heal:   []Command{append(connect, f.Network, f.Target)},
	}, nil
}

// onPackets does something to the packets of a container, but not to what it says to itself.
func (f Fault) onPackets(ctx context.Context, run Run) (steps, error) {
	c, err := run.running(ctx, f.Target)
	if err != nil {
		return steps{}, err
	}
	var s steps
	switch f.Kind {
	case Loss:
		share := strconv.FormatFloat(float64(f.Percent)/100, 'f', 2, 64)
		random := []string{"-m", "statistic", "--mode", "random", "--probability", share, "-j", "DROP"}
		s.rule(c, append([]string{"INPUT", "!", "-i", "lo"}, random...)...)
		s.rule(c, append([]string{"OUTPUT", "!", "-o", "lo"}, random...)...)
	case Delay:
		// When nobody reads the queue, packets pass.
		s.rule(c, "INPUT", "!", "-i", "lo", "-j", "NFQUEUE", "--queue-num", strconv.Itoa(queueNumber), "--queue-bypass")
		s.hold = holder(c, f)
	default:
		rate := strconv.Itoa(f.Rate) + "bps" // as tc calls bytes a second
		devices, err := run(ctx, c.inside("sh", "-c", "ip -o link show type veth | cut -d: -f2 | cut -d@ -f1"))
		if err != nil {
			return steps{}, err
		}
		for dev := range strings.FieldsSeq(devices) { // they are numbered on when a network is joined again
			s.inject = append(s.inject, c.inside("tc", "qdisc", "replace", "dev", dev, "root", "tbf", "rate", rate, "burst", "32kb", "latency", "2s"))
			s.heal = append(s.heal, c.inside("tc", "qdisc", "del", "dev", dev, "root"))
		}
	}
	return s, nil
}

// rule adds a rule of iptables, first of its chain, and removes it in healing.
func (s *steps) rule(c Container, of ...string) {
	of = append(of, "-m", "comment", "--comment", mark)
	s.inject = append(s.inject, c.inside(append([]string{"iptables", "-w", "-I"}, of...)...))
	s.heal = append(s.heal, c.inside(append([]string{"iptables", "-w", "-D"}, of...)...))
}

// partition parts two groups of containers. The rules are those of the target's side; one side is enough, as both directions are lost.
func (f Fault) partition(ctx context.Context, run Run) (steps, error) {
	var s steps
	var away []string
	for _, name := range f.Away {
		c, err := run.inspect(ctx, name)
		if err != nil {
			return steps{}, err
		}
		away = append(away, c.addresses()...) // none, if it does not run: there is nothing to be parted from
	}
	for _, name := range append([]string{f.Target}, f.Mates...) {
		c, err := run.running(ctx, name)
		if err != nil {
			return steps{}, err
		}
		for _, address := range away {
			s.rule(c, "INPUT", "-s", address, "-j", "DROP")
			s.rule(c, "OUTPUT", "-d", address, "-j", "DROP")
		}
	}
	return s, nil
}
