package egress

import (
	"bufio"
	"net"
	"net/http"
	"net/http/httptrace"
)

// RoundTrip implements [http.RoundTripper]. A request that can be repeated (it has GetBody, or no body) is sent once more, on
// a new connection, if the receiver closed the one that was kept open without a word.
func (t *transport) RoundTrip(request *http.Request) (*http.Response, error) {
	ctx := request.Context()
	trace := httptrace.ContextClientTrace(ctx)
	to := routeOf(request.URL)
	if trace != nil && trace.GetConn != nil {
		trace.GetConn(to.address())
	}
	m := &streamed{request: request}
	answer, err := t.do(&call{ctx: ctx, to: to, message: m, watch: hooks{trace: trace}, request: request})
	if !m.wrote && m.request.Body != nil {
		_ = m.request.Body.Close() // it was not read
	}
	return answer, err
}

// streamed is a request as net/http writes it.
type streamed struct {
	request *http.Request
	wrote   bool // which closes the body
}

// write implements message.
func (m *streamed) write(c net.Conn) error {
	m.wrote = true
	w := bufio.NewWriterSize(c, bufferSize)
	err := m.request.Write(w)
	if err == nil {
		err = w.Flush()
	}
	if _, broke := w.Write(nil); broke != nil {
		err = broke // what net/http says instead does not tell why
	}
	return err
}

// again implements message.
func (m *streamed) again() (bool, error) {
	if m.request.Body == nil || m.request.Body == http.NoBody {
		return true, nil
	}
	if m.request.GetBody == nil {
		return false, nil
	}
	again := *m.request // which is not ours to change
	var err error
	again.Body, err = m.request.GetBody()
	m.request, m.wrote = &again, false
	return err == nil, err
}
