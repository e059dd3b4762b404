package conventions

import (
	"net/url"
	"strconv"

	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// http holds a span against https://opentelemetry.io/docs/specs/semconv/http/http-spans/.
func (s *subject) http() {
	s.among("http.request.method", "CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "QUERY", "TRACE", "_OTHER")
	if n, ok := s.number("http.request.resend_count"); ok && n < 1 {
		s.violates("http.request.resend_count is %d; it stands there only from the second attempt on, and counts those before", n)
	}
	status, answered := s.number("http.response.status_code")
	if answered && (status < 100 || status > 599) {
		s.violates("http.response.status_code is %d", status)
	}
	switch s.span.SpanKind() {
	case trace.SpanKindClient:
		s.needs("server.address", "server.port", "url.full")
		s.httpName("url.template")
		s.checkURL()
		s.httpStatus(answered && status >= 400, answered, status)
	case trace.SpanKindServer:
		s.needs("url.path", "url.scheme")
		s.httpName("http.route")
		s.httpStatus(answered && status >= 500, answered, status)
	default:
		s.violates("it is a %s; it should be a client or a server", s.span.SpanKind())
	}
}

// httpName checks the name: the method, and the template of the path if there is one.
func (s *subject) httpName(template string) {
	method := s.text("http.request.method")
	if method == "_OTHER" {
		method = "HTTP"
	}
	path := s.text("url.template")
	if template == "http.route" {
		path = s.text("http.route")
	}
	if path != "" {
		s.named(method + " " + path)
		return
	}
	s.named(method)
}

// httpStatus checks that an answer that says so has failed. A server has not, when it refuses a wrong request; and an answer with a
// good status may break off.
func (s *subject) httpStatus(failed, answered bool, status int64) {
	is := s.span.Status().Code == codes.Error
	switch kind := s.text("error.type"); {
	case failed && !is:
		s.violates("the answer was %d, and its status is not Error", status)
	case is && answered && !failed && status >= 400:
		s.violates("the answer was %d, which is no failure of a server", status)
	case failed && is && kind != strconv.FormatInt(status, 10):
		s.violates("error.type is %q; it should be the status, %d", kind, status)
	}
}

// checkURL checks that the URL has nothing in it that only some may know.
func (s *subject) checkURL() {
	full := s.text("url.full")
	if full == "" {
		return
	}
	switch u, err := url.Parse(full); {
	case err != nil || u.Host == "":
		s.violates("url.full is no URL")
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		s.violates("url.full has user info, a query or a fragment")
	}
}
