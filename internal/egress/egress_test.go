package egress_test

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/egress"
)

const setting = "WEBHOOK_ALLOW_NETWORKS"

func newGuard(t *testing.T, p egress.Policy) *egress.Guard {
	t.Helper()
	p.Setting = setting
	guard, err := egress.NewGuard(p)
	require.NoError(t, err)
	return guard
}

func loopback() []netip.Prefix {
	return []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
}

func TestCheckWithoutAllowedNetworks(t *testing.T) {
	t.Parallel()
	tests := []struct{ addr, reason string }{
		// Public addresses, among them the neighbours of what is refused.
		{"93.184.216.34", ""},
		{"1.1.1.1", ""},
		{"9.255.255.255", ""},
		{"11.0.0.0", ""},
		{"100.63.255.255", ""},
		{"100.128.0.0", ""},
		{"126.255.255.255", ""},
		{"128.0.0.0", ""},
		{"168.63.129.15", ""},
		{"168.63.129.17", ""},
		{"169.253.255.255", ""},
		{"169.255.0.0", ""},
		{"172.15.255.255", ""},
		{"172.32.0.0", ""},
		{"192.0.1.0", ""},
		{"192.167.255.255", ""},
		{"192.169.0.0", ""},
		{"198.17.255.255", ""},
		{"198.20.0.0", ""},
		{"223.255.255.255", ""},
		{"2606:2800:220:1::1", ""},
		{"2001:4860:4860::8888", ""},
		{"2001:200::1", ""},
		{"2a00:1450::5efe", ""},
		{"::ffff:93.184.216.34", ""}, // the kernel connects to 93.184.216.34

		{"127.0.0.1", "a loopback address"},
		{"127.255.255.254", "a loopback address"},
		{"::1", "a loopback address"},
		{"::ffff:127.0.0.1", "a loopback address"},
		{"::ffff:7f00:1", "a loopback address"},
		{"0.0.0.0", "an address of this host"},
		{"0.1.2.3", "an address of this host"},
		{"::", "the unspecified address"},
		{"::ffff:0.0.0.0", "an address of this host"},
		{"10.0.0.1", "a private address"},
		{"10.255.255.255", "a private address"},
		{"::ffff:10.0.0.1", "a private address"},
		{"172.16.0.1", "a private address"},
		{"172.31.255.255", "a private address"},
		{"192.168.1.1", "a private address"},
		{"fc00::1", "a private address"},
		{"fdff:ffff::1", "a private address"},
		{"fec0::1", "a private address"},
		{"169.254.0.1", "a link-local address"},
		{"fe80::1", "a link-local address"},
		{"fe80::1%eth0", "a link-local address"},
		{"febf::1", "a link-local address"},
		{"169.254.169.254", "the metadata service of a cloud"},
		{"::ffff:169.254.169.254", "the metadata service of a cloud"},
		{"168.63.129.16", "the metadata service of a cloud"},
		{"100.100.100.200", "the metadata service of a cloud"},
		{"192.0.0.192", "the metadata service of a cloud"},
		{"fd00:ec2::254", "the metadata service of a cloud"},
		{"169.254.170.2", "the metadata service of a cloud"},
		{"169.254.170.23", "the metadata service of a cloud"},
		{"169.254.0.23", "the metadata service of a cloud"},
		{"169.254.42.42", "the metadata service of a cloud"},
		{"fd00:ec2::23", "the metadata service of a cloud"},
		{"fd00:42::42", "the metadata service of a cloud"},
		{"fd20:ce::254", "the metadata service of a cloud"},
		{"100.64.0.1", "an address behind carrier-grade NAT"},
		{"100.127.255.255", "an address behind carrier-grade NAT"},
		{"192.0.0.8", "reserved for protocols"},
		{"192.0.2.1", "an address for documentation"},
		{"198.51.100.7", "an address for documentation"},
		{"203.0.113.7", "an address for documentation"},
		{"2001:db8::1", "an address for documentation"},
		{"3fff::1", "an address for documentation"},
		{"198.18.0.1", "an address for benchmarking"},
		{"198.19.255.255", "an address for benchmarking"},
		{"2001:2::1", "an address for benchmarking"},
		{"224.0.0.1", "a multicast address"},
		{"239.255.255.255", "a multicast address"},
		{"ff02::1", "a multicast address"},
		{"ff0e::1", "a multicast address"},
		{"240.0.0.1", "a reserved address"},
		{"255.255.255.255", "the broadcast address"},
		{"192.88.99.1", "a 6to4 relay"},
		{"2002:7f00:1::1", "a 6to4 tunnel address"},
		{"2002:5db8:d822::1", "a 6to4 tunnel address"},
		{"2001::1", "a Teredo tunnel address"},
		{"2001:0:4136:e378:8000:63bf:80ff:fffe", "a Teredo tunnel address"},
		{"2001:10::1", "reserved for protocols"},
		{"2001:20::1", "reserved for protocols"},
		{"64:ff9b::7f00:1", "a NAT64 address"},
		{"64:ff9b::93.184.216.34", "a NAT64 address"},
		{"64:ff9b:1::a00:1", "a NAT64 address"},
		{"::127.0.0.1", "an IPv4-compatible address"},
		{"::93.184.216.34", "an IPv4-compatible address"},
		{"::ffff:0:127.0.0.1", "an IPv4-translated address"},
		{"100::1", "a discarded address"},
		{"5f00::1", "a segment-routing address"},
		{"1::1", "a reserved address"},
		{"4000::1", "a reserved address"},
		{"e000::1", "a reserved address"},
		{"2606:2800:220:1:0:5efe:7f00:1", "an ISATAP tunnel address"},
		{"2606:2800:220:1:200:5efe:7f00:1", "an ISATAP tunnel address"},
	}
	guard := newGuard(t, egress.Policy{})
	for _, tt := range tests {
		t.Run(tt.addr, func(t *testing.T) {
			t.Parallel()
			err := guard.Check(netip.MustParseAddr(tt.addr))
			if tt.reason == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, egress.ErrBlocked)
			var blocked *egress.BlockedError
			require.ErrorAs(t, err, &blocked)
			require.Equal(t, tt.reason, blocked.Reason)
			require.Contains(t, err.Error(), blocked.Address)
			require.Contains(t, err.Error(), setting)
		})
	}
	require.ErrorIs(t, guard.Check(netip.Addr{}), egress.ErrBlocked)
}

func TestCheckWithAllowedNetworks(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		allowed []string
		addr    string
		ok      bool
	}{
		{"inside", []string{"10.1.0.0/16"}, "10.1.2.3", true},
		{"outside", []string{"10.1.0.0/16"}, "10.2.2.3", false},
		{"second network", []string{"10.1.0.0/16", "192.168.0.0/24"}, "192.168.0.9", true},
		{"a single address", []string{"127.0.0.1"}, "127.0.0.1", true},
		{"its neighbour", []string{"127.0.0.1"}, "127.0.0.2", false},
		{"mapped address of an allowed one", []string{"127.0.0.0/8"}, "::ffff:127.0.0.1", true},
		{"network written mapped", []string{"::ffff:127.0.0.0/104"}, "127.3.2.1", true},
		{"address written mapped", []string{"::ffff:127.0.0.1"}, "127.0.0.1", true},
		{"everything of IPv4 says nothing of IPv6", []string{"0.0.0.0/0"}, "::1", false},
		{"everything of IPv6 says nothing of IPv4", []string{"::/0"}, "::ffff:127.0.0.1", false},
		{"IPv6 loopback", []string{"::1/128"}, "::1", true},
		{"link-local with a zone", []string{"fe80::/10"}, "fe80::1%eth0", true},
		{"public address stays public", []string{"10.0.0.0/8"}, "93.184.216.34", true},
		{"host bits are ignored", []string{"10.1.2.3/8"}, "10.9.9.9", true},
		{"NAT64 to a public address", []string{"64:ff9b::/96"}, "64:ff9b::93.184.216.34", true},
		{"NAT64 to a loopback address", []string{"64:ff9b::/96"}, "64:ff9b::127.0.0.1", false},
		{"NAT64 to a metadata service", []string{"::/0"}, "64:ff9b::169.254.169.254", false},
		{"NAT64 to an allowed address", []string{"64:ff9b::/96", "10.0.0.0/8"}, "64:ff9b::10.0.0.1", true},
		{"6to4 to a private address", []string{"2002::/16"}, "2002:a00:1::1", false},
		{"6to4 to a public address", []string{"2002::/16"}, "2002:5db8:d822::1", true},
		{"a metadata service by a network around it", []string{"169.254.0.0/16", "0.0.0.0/0", "169.254.169.254/31"}, "169.254.169.254", false},
		{"a metadata service by its address", []string{"169.254.169.254"}, "169.254.169.254", true},
		{"a task's credentials by a network around them", []string{"169.254.0.0/16"}, "169.254.170.2", false},
		{"a pod's credentials among private addresses", []string{"fc00::/7"}, "fd00:ec2::23", false},
		{"a metadata service among private addresses", []string{"fc00::/7", "fd00:ec2::/32"}, "fd00:ec2::254", false},
		{"a metadata service behind NAT", []string{"100.64.0.0/10"}, "100.100.100.200", false},
		{"its neighbour", []string{"100.64.0.0/10"}, "100.100.100.201", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			networks, err := egress.ParseNetworks(tt.allowed)
			require.NoError(t, err)
			err = newGuard(t, egress.Policy{Networks: networks}).Check(netip.MustParseAddr(tt.addr))
			if tt.ok {
				require.NoError(t, err)
			} else {
				require.ErrorIs(t, err, egress.ErrBlocked)
			}
		})
	}
}

func TestParseNetworks(t *testing.T) {
	t.Parallel()
	networks, err := egress.ParseNetworks([]string{" 10.0.0.0/8 ", "", "::1"})
	require.NoError(t, err)
	require.Equal(t, []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("::1/128")}, networks)
	for _, bad := range []string{"localhost", "10.0.0.0/33", "10.0.0/8", "fe80::1%eth0", "*", "10.0.0.0-10.0.0.9"} {
		_, err := egress.ParseNetworks([]string{bad})
		require.ErrorContains(t, err, bad)
	}
}
