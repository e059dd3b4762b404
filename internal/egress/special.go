package egress

import "net/netip"

// special is a range of addresses that are not for the public internet.
type special struct {
	network netip.Prefix
	reason  string
}

// specials returns the refused ranges; the first that fits names the reason.
func specials() []special {
	texts := [][2]string{
		{"127.0.0.0/8", "a loopback address"},
		{"::1/128", "a loopback address"},
		{"0.0.0.0/8", "an address of this host"},
		{"::/128", "the unspecified address"},
		{"169.254.169.254/32", "the metadata service of a cloud"},
		{"169.254.0.0/16", "a link-local address"},
		{"fe80::/10", "a link-local address"},
		{"168.63.129.16/32", "the metadata service of a cloud"}, // Azure's wire server: a public address, answered inside
		{"100.100.100.200/32", "the metadata service of a cloud"},
		{"192.0.0.192/32", "the metadata service of a cloud"},
		{"fd00:ec2::254/128", "the metadata service of a cloud"},
		{"fd20:ce::254/128", "the metadata service of a cloud"},
		{"10.0.0.0/8", "a private address"},
		{"172.16.0.0/12", "a private address"},
		{"192.168.0.0/16", "a private address"},
		{"fc00::/7", "a private address"},
		{"fec0::/10", "a private address"}, // site-local, deprecated and still routed
		{"100.64.0.0/10", "an address behind carrier-grade NAT"},
		{"192.0.2.0/24", "an address for documentation"},
		{"198.51.100.0/24", "an address for documentation"},
		{"203.0.113.0/24", "an address for documentation"},
		{"2001:db8::/32", "an address for documentation"},
		{"3fff::/20", "an address for documentation"},
		{"198.18.0.0/15", "an address for benchmarking"},
		{"2001:2::/48", "an address for benchmarking"},
		{"224.0.0.0/4", "a multicast address"},
		{"ff00::/8", "a multicast address"},
		{"255.255.255.255/32", "the broadcast address"},
		{"240.0.0.0/4", "a reserved address"},
		{"192.0.0.0/24", "reserved for protocols"},
		{"192.88.99.0/24", "a 6to4 relay"},
		{"2002::/16", "a 6to4 tunnel address"},
		{"2001::/32", "a Teredo tunnel address"},
		{"2001::/23", "reserved for protocols"}, // ORCHID, AMT, AS112 and more
		{"64:ff9b::/96", "a NAT64 address"},
		{"64:ff9b:1::/48", "a NAT64 address"},
		{"::ffff:0:0:0/96", "an IPv4-translated address"},
		{"::/96", "an IPv4-compatible address"},
		{"100::/64", "a discarded address"},
		{"5f00::/16", "a segment-routing address"},
		// Global unicast is 2000::/3; whatever else IANA may give a meaning to is refused until it is known here.
		{"::/3", "a reserved address"},
		{"4000::/2", "a reserved address"},
		{"8000::/1", "a reserved address"},
	}
	list := make([]special, len(texts))
	for i, t := range texts {
		list[i] = special{network: netip.MustParsePrefix(t[0]), reason: t[1]}
	}
	return list
}

// translated returns the IPv4 address for which addr stands behind a NAT64 (RFC 6052, well-known prefix) or 6to4
// (RFC 3056) translator.
func translated(addr netip.Addr) (netip.Addr, bool) {
	if !addr.Is6() {
		return netip.Addr{}, false
	}
	b := addr.As16()
	switch {
	case netip.MustParsePrefix("64:ff9b::/96").Contains(addr):
		return netip.AddrFrom4([4]byte(b[12:16])), true
	case netip.MustParsePrefix("2002::/16").Contains(addr):
		return netip.AddrFrom4([4]byte(b[2:6])), true
	default:
		return netip.Addr{}, false
	}
}

// isatap reports whether the interface identifier is that of an ISATAP tunnel (RFC 5214): [02]00:5efe and an IPv4
// address, under any prefix.
func isatap(addr netip.Addr) bool {
	b := addr.As16()
	return (b[8] == 0 || b[8] == 2) && b[9] == 0 && b[10] == 0x5e && b[11] == 0xfe
}
