package client

import (
	"context"
	"errors"
	"io/fs"
	"net/url"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Client talks to one installation. Make one with [Connect] or [New]. It is safe for concurrent use.
type Client struct {
	nc       *nats.Conn
	js       jetstream.JetStream
	subjects events.Subjects
	caller   string
	source   string
	timeout  time.Duration
	denials  *denials
	secretd  *signer // nil when it is not known
	spare    spareKeys
	trace    func(ctx context.Context) (parent, state string) // nil without traces
	owned    bool
}

// Connect connects to NATS at url (several, separated by commas) until ctx ends. Once connected, the client reconnects
// for ever by itself. A server that cannot be reached is an error of code unavailable, one that refuses the credentials
// unauthenticated.
func Connect(ctx context.Context, url string, options ...Option) (*Client, error) {
	c, set, err := prepare(options)
	if err != nil {
		return nil, err
	}
	if url == "" {
		url = nats.DefaultURL
	}
	opts := nats.GetDefaultOptions()
	if opts.Servers, err = serversOf(url); err != nil {
		return nil, err
	}
	opts.Name = "mlsdm-client"
	opts.MaxReconnect = -1
	if c.caller != "" {
		opts.Name = c.caller
		opts.InboxPrefix = "_INBOX_" + inboxToken(c.caller)
	}
	for _, option := range set.nats {
		if err := option(&opts); err != nil {
			return nil, optionError(err)
		}
	}
	opts.AsyncErrorCB = c.denials.watch(opts.AsyncErrorCB)
	if c.nc, err = dial(ctx, opts); err != nil {
		return nil, dialError(url, err)
	}
	c.owned = true
	if err := c.useJetStream(); err != nil {
		c.nc.Close()
		return nil, err
	}
	return c, nil
}

// New makes a client of a connection that is already there and stays its owner's: [Client.Close] leaves it open.
func New(nc *nats.Conn, options ...Option) (*Client, error) {
	c, _, err := prepare(options)
	if err != nil {
		return nil, err
	}
	c.nc = nc
	if err := c.useJetStream(); err != nil {
		return nil, err
	}
	return c, nil
}

// Close closes a connection that [Connect] made. Whatever the client promised is on the server by then: each call waits
// for its answer.
func (c *Client) Close() {
	c.spare.close()
	if c.owned {
		c.nc.Close()
	}
}

// Conn returns the connection, for what this package does not offer.
func (c *Client) Conn() *nats.Conn { return c.nc }

// Subjects returns the subjects of the installation.
func (c *Client) Subjects() events.Subjects { return c.subjects }

// prepare checks the options.
func prepare(options []Option) (*Client, settings, error) {
	set := settings{timeout: DefaultTimeout}
	for _, option := range options {
		option(&set)
	}
	subjects, err := events.NewSubjects(set.prefix)
	if err != nil {
		return nil, set, err
	}
	source := "/mlsdm/client"
	if set.caller != "" {
		if err := events.CheckToken("caller", set.caller); err != nil {
			return nil, set, err
		}
		source += "/" + url.PathEscape(set.caller)
	}
	if set.source != "" {
		source = set.source
	}
	if set.timeout <= 0 {
		return nil, set, events.Errorf(events.CodeInvalidArgument, "the timeout is %v; it must be positive", set.timeout)
	}
	c := &Client{subjects: subjects, caller: set.caller, source: source, timeout: set.timeout, denials: newDenials(), trace: set.trace}
	if set.secretd != "" {
		if c.secretd, err = newSigner(set.secretd); err != nil {
			return nil, set, err
		}
	}
	return c, set, nil
}

// useJetStream makes the JetStream half of the client.
func (c *Client) useJetStream() error {
	js, err := jetstream.New(c.nc)
	if err != nil {
		return events.Errorf(events.CodeInternal, "the JetStream client could not be made: %w", err)
	}
	c.js = js
	return nil
}

// serversOf returns the servers of a list of URLs. What is no URL is refused here, because the NATS client repeats it in
// its error with the password that may stand in it.
func serversOf(urls string) ([]string, error) {
	servers := strings.Split(urls, ",")
	for i, server := range servers {
		server = strings.TrimSpace(server)
		full := server
		if !strings.Contains(full, "://") {
			full = "nats://" + full
		}
		if u, err := url.Parse(full); err != nil || u.Host == "" {
			return nil, events.Errorf(events.CodeInvalidArgument, "NATS server %d of %d is no URL like %s", i+1, len(servers), nats.DefaultURL)
		}
		servers[i] = server
	}
	return servers, nil
}

// optionError gives a NATS option that cannot be used its code.
func optionError(err error) error {
	if coded, ok := errors.AsType[*events.Error](err); ok {
		return coded
	}
	return events.Errorf(events.CodeInvalidArgument, "a NATS option cannot be used: %w", err)
}

// dial connects; the NATS client knows no context, so the wait for it is given up when ctx ends. With a ctx that has
// ended already nothing is dialled, and what is told is its end, never what a server happened to answer first.
func dial(ctx context.Context, opts nats.Options) (*nats.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	type outcome struct {
		nc  *nats.Conn
		err error
	}
	done := make(chan outcome, 1)
	go func() {
		nc, err := opts.Connect()
		done <- outcome{nc, err}
	}()
	select {
	case o := <-done:
		return o.nc, o.err
	case <-ctx.Done():
		go func() { // nobody wants it any more
			if o := <-done; o.nc != nil {
				o.nc.Close()
			}
		}()
		return nil, ctx.Err()
	}
}

// dialError gives a failed connect its code. Passwords in the URL stay out of it.
func dialError(urls string, err error) error {
	switch {
	case errors.Is(err, context.Canceled):
		return events.Errorf(events.CodeCanceled, "connecting to NATS at %s was canceled: %w", safeURLs(urls), err)
	case errors.Is(err, nats.ErrAuthorization), errors.Is(err, nats.ErrAuthExpired), errors.Is(err, nats.ErrAuthRevoked),
		errors.Is(err, nats.ErrAccountAuthExpired):
		return events.Errorf(events.CodeUnauthenticated, "NATS at %s refuses the credentials: %w", safeURLs(urls), err)
	case errors.Is(err, fs.ErrNotExist):
		return events.Errorf(events.CodeInvalidArgument, "a file to log in with is not there: %w", err)
	default:
		return events.Errorf(events.CodeUnavailable, "NATS at %s cannot be reached: %w", safeURLs(urls), err)
	}
}

// safeURLs removes user names and passwords from a list of URLs.
func safeURLs(urls string) string {
	list := strings.Split(urls, ",")
	for i, u := range list {
		if at := strings.LastIndex(u, "@"); at >= 0 {
			scheme, _, found := strings.Cut(u, "://")
			if !found {
				scheme = "nats"
			}
			list[i] = scheme + "://[redacted]@" + u[at+1:]
		}
	}
	return strings.Join(list, ",")
}

// inboxToken makes a caller's name fit an inbox prefix, as the services do with theirs.
func inboxToken(name string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' {
			return r
		}
		return '_'
	}, name)
}
