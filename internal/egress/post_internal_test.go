package egress

import (
	"bytes"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// lines returns the lines of a request's head, those of headers in their order by name, and the body behind it.
func lines(t *testing.T, text []byte) ([]string, string) {
	t.Helper()
	head, body, whole := strings.Cut(string(text), "\r\n\r\n")
	require.True(t, whole, "%q", text)
	list := strings.Split(head, "\r\n")
	slices.Sort(list[1:])
	return list, body
}

// What is written by hand is what net/http writes: the same lines, and the same body.
func TestHeadIsThatOfNetHTTP(t *testing.T) {
	t.Parallel()
	ours := []Field{{Name: "User-Agent", Value: "test/1"}}
	for _, header := range [][]Field{
		nil,
		{{"Content-Type", "application/json"}, {"Webhook-Id", "evt_1"}, {"Webhook-Timestamp", "1700000000"}, {"Webhook-Signature", "v1,g0hM9/+= v1a,x"}},
		{{"X-Twice", "a"}, {"X-Twice", "b"}, {"X-Empty", ""}},
		{{"X-Tab", "a\tb"}, {"X-Space", "  a b \t"}, {"X-Latin", "caf\xe9"}, {"X-Unicode", "ы"}, {"X-Quoted", `a"b\c:d`}},
		{{"!#$%&'*+.^_`|~", "token"}, {"X_Under", "1"}, {"x-small", "1"}},
		{{"X-Long", strings.Repeat("x", 20_000)}},
	} {
		for _, address := range []string{
			"http://receiver.example", "https://receiver.example/", "http://127.0.0.1:8080/a/b?c=d&e=f%20g", "https://[2001:db8::1]:443/x?",
			"http://receiver.example/a%2Fb/ы z", "https://receiver.example//a//b", "http://xn--e1afmkfd.example:81/?a;b",
		} {
			for _, body := range []string{"", "hello", strings.Repeat("x", 100_000)} {
				u, err := url.Parse(address)
				require.NoError(t, err)
				head, err := appendHead(nil, &Post{URL: u, Header: append(slices.Clone(ours), header...), Body: []byte(body)})
				require.NoError(t, err)
				request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, strings.NewReader(body))
				require.NoError(t, err)
				for _, f := range append(slices.Clone(ours), header...) {
					request.Header[f.Name] = append(request.Header[f.Name], f.Value)
				}
				var theirs bytes.Buffer
				require.NoError(t, request.Write(&theirs))
				wantHead, wantBody := lines(t, theirs.Bytes())
				gotHead, gotBody := lines(t, append(head, body...))
				require.Equal(t, wantHead, gotHead)
				require.Equal(t, wantBody, gotBody)
			}
		}
	}
}

// Nothing that would be read as something else is written.
func TestHeadRefuses(t *testing.T) {
	t.Parallel()
	good := &url.URL{Scheme: "http", Host: "receiver.example", Path: "/"}
	for i, p := range []Post{
		{},
		{URL: &url.URL{Scheme: "http", Path: "/"}},
		{URL: &url.URL{Scheme: "http", Host: "a\r\nX-Evil: 1"}},
		{URL: &url.URL{Scheme: "http", Host: "a b"}},
		{URL: &url.URL{Scheme: "http", Host: "a/b"}},
		{URL: &url.URL{Scheme: "http", Host: "user@a"}},
		{URL: &url.URL{Scheme: "http", Host: "пример.example"}},
		{URL: &url.URL{Scheme: "http", Host: "[fe80::1%eth0]"}},
		{URL: &url.URL{Scheme: "http", Host: "a", Opaque: "/\r\nX-Evil: 1"}},
		{URL: &url.URL{Scheme: "http", Host: "a", RawQuery: "\r\nX-Evil: 1"}},
		{URL: &url.URL{Scheme: "http", Host: "a", RawQuery: "a\x7f"}},
		{URL: &url.URL{Scheme: "http", Host: "a", RawQuery: "a HTTP/1.0"}},
		{URL: &url.URL{Scheme: "http", Host: "a", RawQuery: "a\tb"}},
		{URL: &url.URL{Scheme: "http", Host: "a", RawQuery: "ы"}},
		{URL: &url.URL{Scheme: "http", Host: "a", Opaque: "/a b"}},
		{URL: &url.URL{Scheme: "http", Host: "a", Opaque: "//b/c"}},
		{URL: &url.URL{Scheme: "http", Host: "a", Path: "b"}},
	} {
		_, err := appendHead(nil, &p)
		require.ErrorIs(t, err, ErrRequest, strconv.Itoa(i))
		require.NotContains(t, err.Error(), "Evil")
	}
	for name, value := range map[string]string{
		"X-A": "a\r\nX-Evil: 1", "X-B": "a\nb", "X-C": "a\rb", "X-D": "a\x00b", "X-E": "a\x7fb", "X-F": "a\x1bb", "X-G\r\nX-Evil": "1",
		"X H": "1", "X:I": "1", "": "1", "X-Ы": "1", "X-J\x00": "1", "X-K\t": "1", " X-L": "1", "(X)": "1", "Host": "a", "HOST": "a",
		"Content-Length": "5", "content-length": "5", "Transfer-Encoding": "chunked", "transfer-encoding": "x", "Connection": "close",
		"Keep-Alive": "1", "Proxy-Connection": "x", "TE": "trailers", "Trailer": "X", "upgrade": "h2c", "Expect": "100-continue",
	} {
		_, err := appendHead(nil, &Post{URL: good, Header: []Field{{Name: "X-Good", Value: "1"}, {Name: name, Value: value}}})
		var refused *RequestError
		require.ErrorAs(t, err, &refused, "%q", name)
		require.NotContains(t, err.Error(), "Evil: 1")
		require.NotContains(t, err.Error(), "\n")
	}
}
