package chaos

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// What is spoken with the kernel about queues of packets: linux/netfilter/nfnetlink_queue.h.
const (
	queueNumber = 7331

	nlQueue      = 3 << 8 // NFNL_SUBSYS_QUEUE
	nlPacket     = nlQueue
	nlVerdict    = nlQueue | 1
	nlConfig     = nlQueue | 2
	attrPacket   = 1 // NFQA_PACKET_HDR; in a verdict 2 is the verdict
	attrVerdict  = 2
	attrCommand  = 1 // NFQA_CFG_CMD
	attrParams   = 2 // NFQA_CFG_PARAMS
	attrMost     = 3 // NFQA_CFG_QUEUE_MAXLEN
	commandBind  = 1
	copyMeta     = 1 // no more of a packet than its number has to come here
	acceptPacket = 1 // NF_ACCEPT
	mostPackets  = 1 << 16
	headerLength = unix.SizeofNlMsghdr + 4
)

// delayer lets packets pass after a time. The socket is of the container's network namespace, whoever uses it.
type delayer struct {
	fd   int
	by   time.Duration
	all  sync.WaitGroup
	mu   sync.Mutex
	next uint32
}

// holder returns what takes packets from the queue of a container.
func holder(c Container, f Fault) func() (io.Closer, error) {
	return func() (io.Closer, error) {
		fd, err := socketInside(c.NetworkSettings.SandboxKey)
		if err != nil {
			return nil, fmt.Errorf("queue of packets: %w", err)
		}
		d := &delayer{fd: fd, by: time.Duration(f.Latency)}
		// Only a socket that stops waiting now and then can be closed.
		for _, err := range []error{
			unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}),
			unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Usec: 100_000}),
			unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 8<<20),
			d.send(nlConfig, attribute(attrCommand, []byte{commandBind, 0, 0, unix.AF_INET})),
			d.send(nlConfig, attribute(attrParams, []byte{0, 0, 0, 0, copyMeta})),
			d.send(nlConfig, attribute(attrMost, binary.BigEndian.AppendUint32(nil, mostPackets))),
		} {
			if err != nil {
				return nil, errors.Join(fmt.Errorf("queue of packets: %w", err), unix.Close(fd))
			}
		}
		end := make(chan struct{})
		d.all.Go(func() { d.read(end) })
		return closer(func() error {
			close(end)
			d.all.Wait()
			return unix.Close(fd)
		}), nil
	}
}

// closer is an [io.Closer].
type closer func() error

// Close implements [io.Closer].
func (c closer) Close() error { return c() }

// socketInside opens a socket in a network namespace.
func socketInside(namespace string) (int, error) {
	type opened struct {
		fd  int
		err error
	}
	result := make(chan opened, 1)
	go func() {
		runtime.LockOSThread() // it is never unlocked: the thread ends with the goroutine, as it is in the wrong place
		file, err := unix.Open(namespace, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			result <- opened{err: err}
			return
		}
		defer func() { _ = unix.Close(file) }() // it was only read
		if err := unix.Setns(file, unix.CLONE_NEWNET); err != nil {
			result <- opened{err: err}
			return
		}
		fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_NETFILTER)
		result <- opened{fd, err}
	}()
	o := <-result
	return o.fd, o.err
}

// read takes packets until the end, and lets each pass when its time has come, in their order.
func (d *delayer) read(end <-chan struct{}) {
	type held struct {
		id  []byte
		due time.Time
	}
	packets := make(chan held, mostPackets)
	d.all.Go(func() {
		for p := range packets {
			timer := time.NewTimer(time.Until(p.due))
			select {
			case <-timer.C:
			case <-end:
				timer.Stop()
			}
			_ = d.send(nlVerdict, attribute(attrVerdict, append([]byte{0, 0, 0, acceptPacket}, p.id...))) // the container may be gone
		}
	})
	defer close(packets)
	buffer := make([]byte, 1<<16)
	for {
		select {
		case <-end:
			return
		default:
		}
		n, _, err := unix.Recvfrom(d.fd, buffer, 0)
		if err != nil { // it waited in vain, or packets came too fast, of which the kernel has dropped some
			continue
		}
		for _, id := range packetIDs(buffer[:n]) {
			packets <- held{id, time.Now().Add(d.by)}
		}
	}
}

// packetIDs are the numbers of the packets that messages of the kernel tell of, as they stand there.
func packetIDs(messages []byte) [][]byte {
	var ids [][]byte
	for len(messages) >= headerLength {
		length := int(binary.NativeEndian.Uint32(messages))
		if length < headerLength || length > len(messages) {
			break
		}
		if binary.NativeEndian.Uint16(messages[4:]) == nlPacket {
			for attributes := messages[headerLength:length]; len(attributes) >= 4; {
				size := int(binary.NativeEndian.Uint16(attributes))
				if size < 4 || size > len(attributes) {
					break
				}
				if binary.NativeEndian.Uint16(attributes[2:]) == attrPacket && size >= 8 {
					ids = append(ids, append([]byte(nil), attributes[4:8]...))
				}
				attributes = attributes[min(align(size), len(attributes)):]
			}
		}
		messages = messages[min(align(length), len(messages)):]
	}
	return ids
}

// send sends one message about the queue.
func (d *delayer) send(kind uint16, content []byte) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.next++
	m := binary.NativeEndian.AppendUint32(nil, uint32(headerLength+len(content)))
	m = binary.NativeEndian.AppendUint16(m, kind)
	m = binary.NativeEndian.AppendUint16(m, unix.NLM_F_REQUEST)
	m = binary.NativeEndian.AppendUint32(m, d.next)
	m = binary.NativeEndian.AppendUint32(m, 0)
	m = append(m, unix.AF_UNSPEC, 0)
	m = binary.BigEndian.AppendUint16(m, queueNumber)
	return unix.Sendto(d.fd, append(m, content...), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK})
}

// attribute is one of a message.
func attribute(kind uint16, value []byte) []byte {
	a := binary.NativeEndian.AppendUint16(nil, uint16(4+len(value)))
	a = binary.NativeEndian.AppendUint16(a, kind)
	return append(append(a, value...), make([]byte, align(len(value))-len(value))...)
}

// align is what netlink adds up to.
func align(n int) int { return (n + 3) &^ 3 }
