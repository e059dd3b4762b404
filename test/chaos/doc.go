// Package chaos makes things go wrong for containers, their networks and their disks, on purpose and by a plan that can be repeated.
//
// A [Fault] is data: what goes wrong, for whom, how badly and for how long. A [Plan] is a list of faults with their times, drawn from a
// [Menu] by a seed: the same seed, menu and length give the same plan. A [Runner] carries out a plan, writes a line of JSON for all that
// it does, which [Replay] reads back as the plan, and heals every fault: at its time, when the context ends, when something panics, and
// when the process is killed. The last is done by a shell that waits for the end of a pipe.
//
// Containers are those of Docker on this machine, and are driven through its command line. What goes wrong with networks goes wrong in
// the container's own network namespace, through nsenter, iptables and tc, so that takes root and Linux; nothing in a container has to
// be prepared for it. What the kernel has to have is xt_statistic for [Loss], NFQUEUE for [Delay] (not netem, which small kernels lack)
// and sch_tbf for [Bandwidth]. Disks are file systems in files, made by [NewDisk], so that they can be full or stand still without
// harm to any other.
//
// There is no fault that sets a clock: containers share CLOCK_REALTIME with their host, a time namespace does not separate it, and a
// statically linked program cannot be lied to with LD_PRELOAD.
package chaos
