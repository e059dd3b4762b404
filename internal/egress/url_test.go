package egress_test

import (
	"net"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/egress"
)

// hostileURLs returns ways to write an address of this host or of its surroundings; PORT stands for a port on which this
// host listens.
func hostileURLs() []string {
	return []string{
		// The usual notations.
		"https://127.0.0.1:PORT/", "https://127.0.0.2:PORT/", "https://127.255.255.254:PORT/", "https://[::1]:PORT/",
		"https://[0:0:0:0:0:0:0:1]:PORT/", "https://0.0.0.0:PORT/", "https://[::]:PORT/", "https://localhost:PORT/",
		"https://LOCALHOST:PORT/", "https://localhost.:PORT/", "https://a.localhost:PORT/", "https://localhost.localdomain:PORT/",
		"https://ip6-localhost:PORT/", "https://ip6-loopback:PORT/", "https://localhost6:PORT/",
		// Other notations of an IPv4 address: decimal, octal, hexadecimal, short, and mixtures.
		"https://2130706433:PORT/", "https://4294967295:PORT/", "https://017700000001:PORT/", "https://0x7f000001:PORT/",
		"https://0X7F000001:PORT/", "https://0x7f.1:PORT/", "https://0x7f.0x0.0x0.0x1:PORT/", "https://0177.0.0.1:PORT/",
		"https://0177.0.0.01:PORT/", "https://127.1:PORT/", "https://127.0.1:PORT/", "https://127.0x1:PORT/", "https://0:PORT/",
		"https://0x0:PORT/", "https://127.000.000.001:PORT/", "https://127.0.0.1.:PORT/", "https://127.0.0.01:PORT/",
		"https://127.0.0.1.1:PORT/", "https://1.127.0.0.0x1:PORT/", "https://3232235521:PORT/", "https://00000177.1:PORT/",
		"https://127.0.0.0x:PORT/", "https://2852039166:PORT/", "https://0xa9fea9fe:PORT/",
		// IPv4 inside IPv6.
		"https://[::ffff:127.0.0.1]:PORT/", "https://[::ffff:7f00:1]:PORT/", "https://[0:0:0:0:0:ffff:127.0.0.1]:PORT/",
		"https://[::127.0.0.1]:PORT/", "https://[64:ff9b::127.0.0.1]:PORT/", "https://[64:ff9b:1::7f00:1]:PORT/",
		"https://[2002:7f00:1::1]:PORT/", "https://[2001::7f00:1]:PORT/", "https://[::ffff:0:127.0.0.1]:PORT/",
		"https://[fe80::5efe:127.0.0.1]:PORT/", "https://[2606::5efe:7f00:1]:PORT/", "https://[::ffff:a9fe:a9fe]:PORT/",
		// Zones, brackets and what only looks like an address.
		"https://[::1%25lo]:PORT/", "https://[fe80::1%25eth0]:PORT/", "https://[2606:2800:220:1::1%25lo]:PORT/",
		"https://[127.0.0.1]:PORT/", "https://[localhost]:PORT/", "https://::1:PORT/", "https://[::1].example.com:PORT/",
		"https://127.0.0.1%00.example.com:PORT/", "https://127.0.0.1%2eexample.com:PORT/",
		// Percent-encoded, full-width and otherwise fancy.
		"https://%31%32%37.0.0.1:PORT/", "https://127%2E0%2E0%2E1:PORT/", "https://%6c%6fcalhost:PORT/",
		"https://１２７.０.０.１:PORT/", "https://%EF%BC%91%EF%BC%92%EF%BC%97.0.0.1:PORT/", "https://①②⑦.⓪.⓪.①:PORT/",
		"https://127。0。0。1:PORT/", "https://localhoſt:PORT/", "https://ｌｏｃａｌｈｏｓｔ:PORT/", "https://ⓛocalhost:PORT/",
		"https://local\u00adhost:PORT/", "https://127.0.0.1\u200b:PORT/",
		// What stands around the host.
		"https://example.com@127.0.0.1:PORT/", "https://example.com:443@127.0.0.1:PORT/", "https://user:canary@example.com:PORT/",
		"https://127.0.0.1:PORT#@example.com/", "https://127.0.0.1:PORT\\@example.com/", "https://example.com\\@127.0.0.1:PORT/",
		"https://127.0.0.1 .example.com:PORT/", "https://127.0.0.1\t:PORT/", "https://example.com:80:PORT/", "https:///127.0.0.1:PORT/",
		"https:127.0.0.1:PORT", "//127.0.0.1:PORT/", "https://:PORT/", "https://", "127.0.0.1:PORT",
		"https://example.com:0/", "https://example.com:65616/", "https://example.com:-1/", "https://example.com:/",
		// Other schemes.
		"http://127.0.0.1:PORT/", "http://93.184.216.34:PORT/", "http://example.com:PORT/", "ftp://127.0.0.1:PORT/", "file:///etc/passwd",
		"gopher://127.0.0.1:PORT/_", "unix:///var/run/docker.sock", "dict://127.0.0.1:PORT/", "javascript:alert(1)",
		// Surroundings.
		"https://169.254.169.254/latest/meta-data/", "https://[fd00:ec2::254]/", "https://168.63.129.16/", "https://100.100.100.200/",
		"https://10.0.0.1/", "https://172.16.0.1/", "https://192.168.0.1/", "https://100.64.0.1/", "https://[fc00::1]/",
		"https://224.0.0.1/", "https://255.255.255.255/", "https://198.18.0.1/", "https://192.0.2.1/", "https://[ff02::1]/",
	}
}

// TestHostileURLs: none passes the check, and none connects when it is posted to without having been checked.
func TestHostileURLs(t *testing.T) {
	t.Parallel()
	guard := newGuard(t, egress.Policy{Resolver: answers("127.0.0.1")})
	client := guard.Client(egress.ClientOptions{})
	listener, accepted := listen(t)
	_, port, err := net.SplitHostPort(listener.Addr().String())
	require.NoError(t, err)
	posted := 0
	for _, text := range hostileURLs() {
		text = strings.ReplaceAll(text, "PORT", port)
		u, err := url.Parse(text)
		if err != nil {
			continue // it is no URL
		}
		err = guard.CheckURL(u)
		require.Error(t, err, text)
		require.True(t, isEither(err, egress.ErrBlocked, egress.ErrURL), "%s: %v", text, err)
		require.NotContains(t, err.Error(), "canary")
		// Even unchecked it gets nowhere: every name resolves to this host, and is refused for it.
		require.Error(t, post(t, client, text), text)
		posted++
	}
	require.Greater(t, posted, 80)
	require.Zero(t, accepted(), "a connection was made")
}

func TestUsualURLs(t *testing.T) {
	t.Parallel()
	guard := newGuard(t, egress.Policy{})
	for _, text := range []string{
		"https://example.com", "https://example.com/hook?token=a%20b&c=d", "https://EXAMPLE.com:8443/", "https://93.184.216.34/",
		"https://[2606:2800:220:1::1]:443/", "https://xn--e1afmkfd.example/", "https://a_b.example.com/", "https://1.2.3.4.example.com/",
		"https://0x7f.example.com/", "https://redis/", "https://example.com/путь", "https://3com.com/", "https://abc.de/",
	} {
		require.NoError(t, guard.CheckURL(mustURL(t, text)), text)
	}
	require.ErrorIs(t, guard.CheckURL(nil), egress.ErrURL)
	for _, query := range []string{"a b", "a\r\nX-Evil: 1", "a\x00", "ы", "a\x7f"} {
		require.ErrorIs(t, guard.CheckURL(&url.URL{Scheme: "https", Host: "example.com", RawQuery: query}), egress.ErrURL)
	}
}

func TestPlainHTTPMustBeAllowed(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, url string
		policy    egress.Policy
		ok        bool
	}{
		{"not allowed", "http://example.com/", egress.Policy{}, false},
		{"allowed for all", "http://example.com/", egress.Policy{AllowHTTP: true}, true},
		{"allowed for all public hosts", "http://10.0.0.1/", egress.Policy{AllowHTTP: true}, false},
		{"allowed for its host", "http://example.com/", egress.Policy{Hosts: []string{"example.com"}}, true},
		{"allowed for another host", "http://example.com/", egress.Policy{Hosts: []string{"example.org"}}, false},
		{"allowed for its address", "http://127.0.0.1/", egress.Policy{Networks: loopback()}, true},
		{"allowed for another address", "http://93.184.216.34/", egress.Policy{Networks: loopback()}, false},
		{"judged by what it resolves to", "http://example.com/", egress.Policy{Networks: loopback()}, true},
		{"a name of this host", "http://localhost/", egress.Policy{Networks: loopback()}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := newGuard(t, tt.policy).CheckURL(mustURL(t, tt.url))
			if tt.ok {
				require.NoError(t, err)
			} else {
				require.ErrorIs(t, err, egress.ErrBlocked)
			}
		})
	}
}
