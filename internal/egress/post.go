package egress

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Post is one POST of a body that is in memory, the only thing that is sent often.
type Post struct {
	// URL is where to; it has passed [Guard.CheckURL].
	URL *url.URL
	// Header is the lines of the head, in their order, but for those that belong to the connection. They are checked.
	Header []Field
	// Body must not be changed until the answer's head is there, or an error.
	Body []byte
	// Deadline is when all of it must be over, the reading of the answer's body included; zero is never. The connection keeps
	// it, so that none of the timers of a context is needed.
	Deadline time.Time
	// Progress is how it went, written by [Poster.Post].
	Progress Progress
}

// Progress is how far a [Post] came. A time is zero when it did not come so far; when it was sent twice, the second counts.
type Progress struct {
	// Connected is when there was a connection.
	Connected time.Time
	// Made is what the making of the connection took; zero for one that was kept open.
	Made Times
	// Wrote is when the request was written.
	Wrote time.Time
	// Answered is when the answer began.
	Answered time.Time
}

// Poster posts. The transport of [Guard.Client] is one: it keeps for a Post every promise that it keeps for other requests,
// at half of the cost.
type Poster interface {
	// Post sends p and returns the head of the answer, whose body must be closed; its Request has nothing but a method. A
	// [RequestError] is a request that was not sent at all. The end of ctx ends the exchange at once, with the error of ctx,
	// and the deadline with [context.DeadlineExceeded]. If the receiver closed a connection that was kept open without a word,
	// the post is sent once more, on a new one.
	Post(ctx context.Context, p *Post) (*http.Response, error)
}

// Post implements [Poster].
func (t *transport) Post(ctx context.Context, p *Post) (*http.Response, error) {
	text, ok := t.heads.Get().(*[]byte)
	if !ok {
		text = new([]byte)
	}
	defer func() {
		if cap(*text) <= 2*maxTogether {
			t.heads.Put(text)
		}
	}()
	head, err := appendHead((*text)[:0], p)
	if err != nil {
		return nil, err
	}
	m := &posted{text: head, rest: p.Body, progress: &p.Progress}
	if len(head)+len(p.Body) <= maxTogether {
		m.text, m.rest = append(head, p.Body...), nil
	}
	*text = m.text[:0]
	return t.do(&call{
		ctx: ctx, deadline: p.Deadline, to: routeOf(p.URL), message: m, watch: &p.Progress, request: t.post,
	})
}

// maxTogether is up to how many bytes head and body are copied together, so that they are written at once. It bounds what is
// kept for the next one, too.
const maxTogether = 16 << 10

// posted is a [Post] as it is written.
type posted struct {
	text []byte // the head, and the body if that is small
	rest []byte // the body if it is not
	// progress is begun anew when it is written again.
	progress *Progress
}

// write implements message.
func (m *posted) write(c net.Conn) error {
	_, err := c.Write(m.text)
	if err == nil && len(m.rest) > 0 {
		_, err = c.Write(m.rest)
	}
	return err
}

// again implements message.
func (m *posted) again() (bool, error) {
	*m.progress = Progress{}
	return true, nil
}

// appendHead appends the head of a request, down to the empty line. Its errors are [RequestError].
func appendHead(head []byte, p *Post) ([]byte, error) {
	if p.URL == nil || !isHost(p.URL.Host) {
		return head, &RequestError{Reason: "the URL has no host that can be named"}
	}
	goal := p.URL.RequestURI()
	switch {
	case goal[0] != '/':
		return head, &RequestError{Reason: "the URL's path does not begin with /"}
	case !printable(goal):
		return head, &RequestError{Reason: "the URL has a space, a control character or a letter beyond ASCII in its path or query; escape them with %"}
	}
	head = append(append(append(head, "POST "...), goal...), " HTTP/1.1\r\n"...)
	head = appendLine(head, "Host", p.URL.Host)
	head = strconv.AppendInt(append(head, "Content-Length: "...), int64(len(p.Body)), 10)
	head = append(head, "\r\n"...)
	for _, f := range p.Header {
		var err error
		if head, err = appendField(head, f); err != nil {
			return head, err
		}
	}
	return append(head, "\r\n"...), nil
}

// isHost reports whether text can stand in the header Host as it is: a name or an address, and a port. Zones, which are of
// this host only, cannot.
func isHost(text string) bool {
	for i := range len(text) {
		c := text[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		case c == '-' || c == '.' || c == '_' || c == ':' || c == '[' || c == ']':
		default:
			return false
		}
	}
	return text != ""
}

// got implements watcher.
func (p *Progress) got(c net.Conn, reused bool) {
	*p = Progress{Connected: time.Now()}
	if !reused {
		p.Made = TimesOf(c)
	}
}

// wrote implements watcher.
func (p *Progress) wrote(err error) {
	if err == nil {
		p.Wrote = time.Now()
	}
}

// answered implements watcher.
func (p *Progress) answered() { p.Answered = time.Now() }
