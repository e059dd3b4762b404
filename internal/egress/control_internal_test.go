package egress

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestControlFailsClosed(t *testing.T) {
	t.Parallel()
	guard, err := NewGuard(Policy{Networks: []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}})
	require.NoError(t, err)
	tests := []struct {
		network, address string
		ok               bool
	}{
		{"tcp4", "127.0.0.1:80", true},
		{"tcp6", "[::1]:80", true},
		{"tcp6", "[fe80::1%eth0]:80", true},
		{"tcp4", "169.254.169.254:80", false},
		{"unix", "/var/run/docker.sock", false},
		{"udp4", "127.0.0.1:53", false},
		{"tcp", "127.0.0.1:80", false},
		{"tcp4", "127.0.0.1", false},
		{"tcp4", "localhost:80", false},
		{"tcp4", "2130706433:80", false},
		{"tcp4", "", false},
	}
	for _, tt := range tests {
		err := guard.control(target{plain: true})(t.Context(), tt.network, tt.address, nil)
		if tt.ok {
			require.NoError(t, err, tt.address)
		} else {
			require.ErrorIs(t, err, ErrBlocked, tt.address)
		}
	}
}
