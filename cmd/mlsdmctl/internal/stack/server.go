package stack

import (
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/gofrs/flock"
	"github.com/nats-io/nats-server/v2/server"

	"github.com/neuron7x/mlsdm-integrations/internal/permissions"
)

// Limits of the embedded server.
const (
	// maxPayload is what all our servers allow, so that a batch of embeddings fits one message.
	maxPayload = 8 << 20
	// readyTimeout bounds the start, recovery of the stored streams included.
	readyTimeout = 30 * time.Second
)

// startServer starts an embedded nats-server with JetStream and users. The returned stop waits until its files are closed.
func startServer(o Options, u users) (srv *server.Server, stop func(), err error) {
	dir := o.DataDir
	host, port, err := splitAddr(o.Addr, o.Insecure)
	if err != nil {
		return nil, nil, err
	}
	unlock, err := lockDir(dir)
	if err != nil {
		return nil, nil, err
	}
	defer func() {
		if err != nil {
			unlock()
		}
	}()
	if err := checkPortFree(host, port); err != nil {
		return nil, nil, err
	}
	account, err := newAccount()
	if err != nil {
		return nil, nil, err
	}
	srv, err = server.NewServer(&server.Options{
		ServerName: "mlsdm", Host: host, Port: port, JetStream: true, StoreDir: dir, MaxPayload: maxPayload,
		// Streams reserve their bounds, some gigabytes together. By default the server has three quarters of what is free, and a
		// small disk would be refused though nothing is on it.
		JetStreamMaxStore: 1 << 40,
		NoSigs:            true, NoSystemAccount: false, JetStreamMaxMemory: 256 << 20,
		Nkeys: u.nkeys, NoAuthUser: u.anyone, Accounts: []*server.Account{account},
	})
	if err != nil {
		return nil, nil, fmt.Errorf("the embedded NATS server: %w", err)
	}
	fatal := make(chan error, 1)
	srv.SetLoggerV2(&serverLog{log: o.Logger, fatal: fatal}, false, false, false)
	srv.Start()
	stop = func() {
		srv.Shutdown()
		srv.WaitForShutdown()
		unlock()
	}
	select {
	case err := <-fatal: // it has given up already, and would only let us wait
		srv.Shutdown()
		srv.WaitForShutdown()
		return nil, nil, fmt.Errorf("the embedded NATS server does not start with %s: %w", dir, err)
	default:
	}
	if !srv.ReadyForConnections(readyTimeout) {
		srv.Shutdown()
		srv.WaitForShutdown()
		return nil, nil, fmt.Errorf("the embedded NATS server did not start on %s within %s", o.Addr, readyTimeout)
	}
	return srv, stop, nil
}

// newAccount makes the account of all users, which has the server tell of messages whose trace is sampled. Only a configuration can
// say so.
func newAccount() (*server.Account, error) {
	var o server.Options
	if err := o.ProcessConfigString("accounts { ALL { " + permissions.Installation{}.Tracing() + " } }"); err != nil {
		return nil, fmt.Errorf("the account of the embedded NATS server: %w", err)
	}
	o.Accounts[0].Name = server.DEFAULT_GLOBAL_ACCOUNT
	return o.Accounts[0], nil
}

// splitAddr refuses addresses that others could reach, unless insecure: the embedded server asks nobody who they are.
func splitAddr(addr string, insecure bool) (host string, port int, err error) {
	host, text, err := net.SplitHostPort(addr)
	if err != nil {
		return "", 0, fmt.Errorf("addr %q is not HOST:PORT, like 127.0.0.1:4222", addr)
	}
	port, err = strconv.Atoi(text)
	if err != nil || port < 0 || port > 65535 {
		return "", 0, fmt.Errorf("addr %q has no port of 0 to 65535", addr)
	}
	if port == 0 {
		port = server.RANDOM_PORT
	}
	if host == "localhost" {
		return "127.0.0.1", port, nil
	}
	if ip := net.ParseIP(host); !insecure && (ip == nil || !ip.IsLoopback()) {
		return "", 0, fmt.Errorf("addr %q is not a loopback address: whoever reaches the embedded stack may do everything, so it listens on 127.0.0.1 or ::1 "+
			"only; `mlsdmctl init` makes a closed one, and --insecure opens this one to everybody", addr)
	}
	return host, port, nil
}

// checkPortFree words the most common failure of a start; the server itself would only time out.
func checkPortFree(host string, port int) error {
	if port == server.RANDOM_PORT {
		return nil
	}
	l, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port))) //nolint:noctx // bound and released at once
	if err != nil {
		return fmt.Errorf("port %d is taken (is a NATS server, or another stack, running?): choose another with --addr %s, or --addr %s for any free one: %w",
			port, net.JoinHostPort(host, strconv.Itoa(port+1)), net.JoinHostPort(host, "0"), err)
	}
	return l.Close()
}

// lockDir makes sure that one process at a time uses the folder: two servers on the same files would ruin them.
func lockDir(dir string) (unlock func(), err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("the data folder: %w", err)
	}
	lock := flock.New(filepath.Join(dir, "lock"))
	held, err := lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("locking the data folder %s: %w", dir, err)
	}
	if !held {
		return nil, fmt.Errorf("the data folder %s is in use by another process: stop it, or choose another with --data", dir)
	}
	return func() { _ = lock.Close() }, nil // the process ends, or the folder is no longer used: nothing to do about a failure
}

// serverLog passes the server's warnings and errors on; its notices are of no use to someone who did not start it.
type serverLog struct {
	log   *slog.Logger
	fatal chan<- error // takes the first fatal error
}

func (l *serverLog) Noticef(string, ...any) {}
func (l *serverLog) Debugf(string, ...any)  {}
func (l *serverLog) Tracef(string, ...any)  {}

func (l *serverLog) Warnf(format string, v ...any) {
	msg := fmt.Sprintf(format, v...)
	if strings.Contains(msg, "Filestore") || strings.Contains(msg, "JetStream") {
		l.log.Warn("nats-server", "message", msg)
		return
	}
	l.log.Debug("nats-server", "message", msg)
}

func (l *serverLog) Errorf(format string, v ...any) {
	l.log.Error("nats-server", "err", fmt.Errorf(format, v...))
}

func (l *serverLog) Fatalf(format string, v ...any) {
	err := fmt.Errorf(format, v...)
	select {
	case l.fatal <- err:
	default:
		l.log.Error("nats-server", "err", err)
	}
}
