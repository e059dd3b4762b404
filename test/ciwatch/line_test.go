package ciwatch_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// line is what a replica's connections to NATS go through. It reads what the replica says, so that each message is an operation of the fuse.
type line struct {
	fuse     *fuse
	listener net.Listener
	target   string
	all      sync.WaitGroup

	mu     sync.Mutex
	closed bool
	conns  []net.Conn
}

func newLine(t *testing.T, f *fuse, target string) *line {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	l := &line{fuse: f, listener: listener, target: target}
	l.all.Go(l.accept)
	t.Cleanup(func() {
		l.cut()
		listener.Close()
		l.all.Wait()
	})
	return l
}

func (l *line) url() string { return "nats://" + l.listener.Addr().String() }

// cut ends all connections, without a word, and lets nobody connect again. Its port is kept: the next who listens there may be of another test.
func (l *line) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	for _, conn := range l.conns {
		conn.Close()
	}
	l.conns = nil
}

func (l *line) accept() {
	for {
		client, err := l.listener.Accept()
		if err != nil {
			return
		}
		server, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", l.target)
		if err != nil {
			client.Close()
			continue
		}
		l.mu.Lock()
		if l.closed {
			client.Close()
			server.Close()
			l.mu.Unlock()
			continue
		}
		l.conns = append(l.conns, client, server)
		l.mu.Unlock()
		l.all.Go(func() { l.said(client, server) })
		l.all.Go(func() { l.told(server, client) })
	}
}

// said passes on what the replica says, a message at a time.
func (l *line) said(client, server net.Conn) {
	defer client.Close()
	if half, ok := server.(*net.TCPConn); ok {
		defer func() { _ = half.CloseWrite() }() // what was said is still read; what is answered goes nowhere
	}
	in := bufio.NewReaderSize(client, 64<<10)
	for {
		frame, subject, err := readFrame(in)
		if err != nil {
			return
		}
		counts := subject != "" && !aside.MatchString(subject)
		if counts && !l.fuse.out(subject) || !counts && !l.fuse.in() {
			return
		}
		if _, err := server.Write(frame); err != nil {
			return
		}
	}
}

// told passes on what the replica is told.
func (l *line) told(server, client net.Conn) {
	defer server.Close()
	defer client.Close()
	buffer := make([]byte, 64<<10)
	for {
		n, err := server.Read(buffer)
		if err != nil {
			return
		}
		if !l.fuse.in() {
			continue // read all the same: a connection that is closed with something unread is reset, and what was said before may be lost
		}
		if _, err := client.Write(buffer[:n]); err != nil {
			return
		}
	}
}

// readFrame reads what a client says next, and the subject if it is a message.
func readFrame(in *bufio.Reader) (frame []byte, subject string, err error) {
	text, err := in.ReadString('\n')
	if err != nil {
		return nil, "", err
	}
	words := strings.Fields(text)
	if len(words) == 0 {
		return []byte(text), "", nil
	}
	switch strings.ToUpper(words[0]) {
	case "PUB", "HPUB":
		size, err := strconv.Atoi(words[len(words)-1])
		if err != nil || len(words) < 3 {
			return nil, "", fmt.Errorf("not the protocol of NATS: %q", text)
		}
		frame = make([]byte, len(text)+size+2)
		copy(frame, text)
		if _, err := io.ReadFull(in, frame[len(text):]); err != nil {
			return nil, "", err
		}
		return frame, kind(words[1]), nil
	default:
		return []byte(text), "", nil
	}
}

// kind is a subject or a path without what varies in it.
func kind(name string) string { return varying.ReplaceAllString(name, "#") }

var (
	varying = regexp.MustCompile(`\b[0-9]+\b|\?.*`)
	// aside is what goes on all the time, whatever is decided: leases, waiting for sightings, and answers to those who ask. It would be most of what
	// is counted.
	aside = regexp.MustCompile(`^_INBOX|mlsdm_ci_leases|^\$JS\.(API\.CONSUMER|ACK)\.`)
)
