package egress_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/egress"
)

func TestHostPatterns(t *testing.T) {
	t.Parallel()
	guard := newGuard(t, egress.Policy{Hosts: []string{" Hooks.Corp.Example ", "*.inner.example", ""}})
	for host, ok := range map[string]bool{
		"hooks.corp.example": true, "HOOKS.corp.example": true, "a.inner.example": true, "a.b.inner.example": true,
		"inner.example": false, "ainner.example": false, "a.inner.example.evil.example": false, "corp.example": false,
		"x.hooks.corp.example": false,
	} {
		err := guard.CheckURL(mustURL(t, "http://"+host+"/hook"))
		if ok {
			require.NoError(t, err, host)
		} else {
			require.ErrorIs(t, err, egress.ErrBlocked, host)
		}
		require.NoError(t, guard.CheckURL(mustURL(t, "https://"+host+"/hook")), "https needs no allowance")
	}
	for _, bad := range []string{"*", "*.", "a*.example", "a.*.example", "127.0.0.1", "*.1", "[::1]", "a.example:80", "https://a.example", "a..b", "a.example."} {
		_, err := egress.NewGuard(egress.Policy{Hosts: []string{bad}})
		require.ErrorContains(t, err, bad)
	}
}

func TestWhatAnAllowedHostMayResolveTo(t *testing.T) {
	t.Parallel()
	tests := []struct {
		host, addr string
		ok         bool
	}{
		{"in.corp.example", "10.1.2.3", true},
		{"in.corp.example", "172.16.0.1", true},
		{"in.corp.example", "192.168.1.1", true},
		{"in.corp.example", "100.64.0.1", true},
		{"in.corp.example", "fd00::1", true},
		{"in.corp.example", "93.184.216.34", true},
		{"in.corp.example", "127.0.0.1", false},
		{"in.corp.example", "::1", false},
		{"in.corp.example", "0.0.0.0", false},
		{"in.corp.example", "169.254.169.254", false},
		{"in.corp.example", "100.100.100.200", false},
		{"in.corp.example", "fd00:ec2::254", false},
		{"in.corp.example", "fe80::1", false},
		{"in.corp.example", "224.0.0.1", false},
		{"in.corp.example", "64:ff9b::a00:1", false},
		{"out.example", "10.1.2.3", false},
		{"localhost", "127.0.0.1", true},
		{"localhost", "::1", true},
		{"localhost", "169.254.169.254", false},
	}
	for _, tt := range tests {
		t.Run(tt.host+" "+tt.addr, func(t *testing.T) {
			t.Parallel()
			guard := newGuard(t, egress.Policy{
				Hosts: []string{"*.corp.example", "localhost"}, Resolver: answers(tt.addr),
				Proxy: mustURL(t, "http://127.0.0.1:1"), // nobody is there, so that what is allowed ends here too
			})
			err := post(t, guard.Client(egress.ClientOptions{}), "https://"+tt.host)
			if tt.ok {
				require.ErrorContains(t, err, "connecting to the proxy")
			} else {
				require.ErrorIs(t, err, egress.ErrBlocked)
			}
		})
	}
}
