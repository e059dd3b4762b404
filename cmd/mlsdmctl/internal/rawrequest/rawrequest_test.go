package rawrequest_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/cmd/mlsdmctl/internal/rawrequest"
)

const (
	headers = "Host: example.com\nwebhook-id: msg_1\nWEBHOOK-TIMESTAMP:1614265330 \nwebhook-signature:\tv1,a= v1a,b==\n"
	body    = "{\"a\":1}\n\nPOST /not HTTP/1.1\nx: y\n"
)

func TestParse(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		saved      string
		method     string
		body       string
		noBody     bool
		note, fail string
	}{
		"whole":               {saved: "POST /hook?x=1 HTTP/1.1\n" + headers + "\n" + body, method: "POST", body: body},
		"with CR LF":          {saved: "POST /hook?x=1 HTTP/1.1\r\n" + strings.ReplaceAll(headers, "\n", "\r\n") + "\r\n" + body, method: "POST", body: body},
		"headers and body":    {saved: headers + "\n" + body, body: body},
		"headers alone":       {saved: headers, noBody: true},
		"no last line end":    {saved: strings.TrimSuffix(headers, "\n"), noBody: true},
		"no body":             {saved: headers + "\n", body: ""},
		"curl -v":             {saved: "* Connected to x\n> POST /hook?x=1 HTTP/1.1\n> " + strings.ReplaceAll(strings.TrimSuffix(headers, "\n"), "\n", "\n> ") + "\n> \n< HTTP/1.1 200 OK\n", method: "POST", noBody: true, note: "left out 17 bytes"},
		"tcpdump -A":          {saved: "06:10:01.12 IP a.1 > b.2: Flags [P.], length 9: HTTP: POST /hook HTTP/1.1\nE..4..@.@...POST /hook?x=1 HTTP/1.1\n" + headers + "\n" + body, method: "POST", body: body, note: "left out"},
		"empty":               {fail: "no headers"},
		"blank":               {saved: "\n\n", fail: "no headers"},
		"a body alone":        {saved: `{"a":1}`, fail: "line 1 is no header"},
		"a sentence":          {saved: "hello there\n" + headers, fail: "line 1 is no header"},
		"a bad header":        {saved: "POST / HTTP/1.1\n" + headers + "what is this\n", fail: "line 6 is no header"},
		"a folded header":     {saved: headers + " continued\n", fail: "line 5 is no header"},
		"a space in the name": {saved: "webhook id: x\n", fail: "line 1 is no header"},
		"too many headers":    {saved: many(201), fail: "line 201 is more than"},
		"curl -v broken off":  {saved: "> POST / HTTP/1.1\n> a: b\nc: d\n", fail: "line 3 does not start with"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := rawrequest.Parse([]byte(c.saved))
			if c.fail != "" {
				require.ErrorContains(t, err, c.fail)
				return
			}
			require.NoError(t, err)
			require.Equal(t, c.method, got.Method)
			if c.method != "" {
				require.Equal(t, "/hook?x=1", got.Target)
			}
			require.Equal(t, "msg_1", got.Header.Get("webhook-id"))
			require.Equal(t, "1614265330", got.Header.Get("webhook-timestamp"))
			require.Equal(t, "v1,a= v1a,b==", got.Header.Get("webhook-signature"))
			require.Equal(t, c.noBody, got.Body == nil)
			require.Equal(t, c.body, string(got.Body))
			require.Contains(t, strings.Join(got.Notes, "\n"), c.note)
		})
	}
}

// many returns n headers of different names.
func many(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString("x-" + strings.Repeat("a", i) + ": y\n")
	}
	return b.String()
}

func TestParseKeepsHeadersThatAreThereTwice(t *testing.T) {
	t.Parallel()
	got, err := rawrequest.Parse([]byte("webhook-id: a\nWebhook-Id: b\n"))
	require.NoError(t, err)
	require.Equal(t, []string{"a", "b"}, got.Header.Values("webhook-id"))
}

func TestFit(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		header, body, want, note string
	}{
		"nothing said":        {"x: y", "{}\n", "{}\n", ""},
		"right":               {"Content-Length: 2", "{}", "{}", ""},
		"a line end too many": {"Content-Length: 2", "{}\r\n", "{}", "left out 2 bytes"},
		"too short":           {"Content-Length: 3", "{}", "{}", "something is missing"},
		"not a number":        {"Content-Length: many", "{}", "{}", "not a number"},
		"negative":            {"Content-Length: -1", "{}", "{}", "not a number"},
		"chunks":              {"Transfer-Encoding: Chunked", "2\r\n{\"\r\n3\r\na\":\r\n2\r\n1}\r\n0\r\n\r\n", `{"a":1}`, "7 bytes"},
		"chunks undone":       {"Transfer-Encoding: chunked", `{"a":1}`, `{"a":1}`, "taken as it is"},
		"chunks broken off":   {"Transfer-Encoding: chunked", "9\r\n{}", "9\r\n{}", "taken as it is"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := rawrequest.Parse([]byte(c.header + "\n\n" + c.body))
			require.NoError(t, err)
			got.Fit()
			require.Equal(t, c.want, string(got.Body))
			require.Contains(t, strings.Join(got.Notes, "\n"), c.note)
		})
	}
}

// FuzzParse checks that nothing that is saved makes a panic, and that nothing is made up: the body is what stands at the end.
func FuzzParse(f *testing.F) {
	f.Add([]byte("POST / HTTP/1.1\r\n" + headers + "\r\n" + body))
	f.Add([]byte("> POST / HTTP/1.1\n> a: b\n> \n"))
	f.Add([]byte("Content-Length: 1\n\n{}"))
	f.Add([]byte("Transfer-Encoding: chunked\n\n1\r\na\r\n0\r\n\r\n"))
	f.Fuzz(func(t *testing.T, saved []byte) {
		got, err := rawrequest.Parse(saved)
		if err != nil {
			return
		}
		require.NotEmpty(t, got.Header)
		require.True(t, strings.HasSuffix(string(saved), string(got.Body)))
		whole := len(got.Body)
		got.Fit()
		require.LessOrEqual(t, len(got.Body), whole)
	})
}
