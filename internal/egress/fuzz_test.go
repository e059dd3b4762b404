package egress_test

import (
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/egress"
)

// FuzzCheckURL: what passes is https to a name, or to a public address in its usual notation, and can be posted to.
func FuzzCheckURL(f *testing.F) {
	for _, text := range hostileURLs() {
		f.Add(strings.ReplaceAll(text, "PORT", "443"))
	}
	f.Add("https://hooks.example.com:8443/a?b=c")
	f.Add("https://93.184.216.34")
	guard, err := egress.NewGuard(egress.Policy{Setting: setting})
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, text string) {
		u, err := url.Parse(text)
		if err != nil {
			return
		}
		if err := guard.CheckURL(u); err != nil {
			require.True(t, isEither(err, egress.ErrBlocked, egress.ErrURL))
			return
		}
		require.Equal(t, "https", u.Scheme)
		require.Nil(t, u.User)
		host := u.Hostname()
		addr, err := netip.ParseAddr(host)
		if err == nil {
			require.NoError(t, guard.Check(addr))
			return
		}
		require.Empty(t, strings.Trim(strings.ToLower(host), "abcdefghijklmnopqrstuvwxyz0123456789-_."))
		last := host[strings.LastIndexByte(host, '.')+1:]
		require.NotEmpty(t, strings.Trim(last, "0123456789"), "a resolver could take it for an address")
	})
}
