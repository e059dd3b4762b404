package egress

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"net/textproto"
	"net/url"
	"testing"
)

// FuzzHead: whatever is put into a request, it is refused or read as one request that says just that.
func FuzzHead(f *testing.F) {
	f.Add("receiver.example", "/a/b", "c=d", "X-A", "value", "hello")
	f.Add("[::1]:80", "", "", "x_y", " \ta\t", "")
	f.Add("a\r\nX: y", "/ HTTP/1.0", "a b", "X\r\nY", "a\r\nContent-Length: 5", "GET / HTTP/1.1\r\n\r\n")
	f.Add("a", "no/slash", "", "X-A", "", "")
	f.Add("a", "/\x00%zz?#", "\t", "content-length", "\x80\xff", "\r\n")
	f.Fuzz(func(t *testing.T, host, path, query, name, value, body string) {
		p := &Post{
			URL:    &url.URL{Scheme: "http", Host: host, Path: path, RawQuery: query},
			Header: []Field{{Name: "X-First", Value: "1"}, {Name: name, Value: value}, {Name: "X-Last", Value: "2"}}, Body: []byte(body),
		}
		text, err := appendHead(nil, p)
		if err != nil {
			return
		}
		r := bufio.NewReader(bytes.NewReader(append(text, body...)))
		request, err := http.ReadRequest(r)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		got, err := io.ReadAll(request.Body)
		if err != nil || string(got) != body || r.Buffered() != 0 {
			t.Fatalf("%q: body %q, %v, %d more", text, got, err, r.Buffered())
		}
		if request.Method != http.MethodPost || request.Host != host || request.RequestURI != p.URL.RequestURI() || request.Proto != "HTTP/1.1" {
			t.Fatalf("%q: read as %+v", text, request)
		}
		fields := 0
		for _, values := range request.Header {
			fields += len(values)
		}
		if fields != 4 { // Content-Length, too
			t.Fatalf("%q: read with %v", text, request.Header)
		}
		values := request.Header[textproto.CanonicalMIMEHeaderKey(name)]
		if len(values) == 0 || values[len(values)-1] != textproto.TrimString(value) && request.Header.Get(name) != textproto.TrimString(value) {
			t.Fatalf("%q: read with %v", text, request.Header)
		}
	})
}
