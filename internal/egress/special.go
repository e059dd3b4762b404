package egress

import "net/netip"

// special is a range of addresses that are not for the public internet.
type special struct {
	network netip.Prefix
	reason  string
	sort    sort
}

// sort is what may make up for an address being special.
type sort int

const (
	// other is public, or special and allowed by its network only.
	other sort = iota
	// private may be reached under an allowed name.
	private
	// loopback may be reached under an allowed name that is one of this host.
	loopback
	// metadata serves credentials, and is allowed by its own address only.
	metadata
)

// specials returns the refused ranges; the first that fits names the reason.
func specials() []special {
	texts := []struct {
		network, reason string
		sort            sort
	}{
		{"127.0.0.0/8", "a loopback address", loopback},
		{"::1/128", "a loopback address", loopback},
		{"0.0.0.0/8", "an address of this host", other},
		{"::/128", "the unspecified address", other},
		{"169.254.169.254/32", "the metadata service of a cloud", metadata},
		{"169.254.170.2/32", "the metadata service of a cloud", metadata},  // credentials of tasks of Amazon ECS
		{"169.254.170.23/32", "the metadata service of a cloud", metadata}, // credentials of pods of Amazon EKS
		{"169.254.42.42/32", "the metadata service of a cloud", metadata},  // Scaleway
		{"169.254.0.23/32", "the metadata service of a cloud", metadata},   // Tencent
		{"169.254.0.0/16", "a link-local address", other},
		{"fe80::/10", "a link-local address", other},
		{"168.63.129.16/32", "the metadata service of a cloud", metadata}, // Azure's wire server: a public address, answered inside
		{"100.100.100.200/32", "the metadata service of a cloud", metadata},
		{"192.0.0.192/32", "the metadata service of a cloud", metadata},
		{"fd00:ec2::254/128", "the metadata service of a cloud", metadata},
		{"fd00:ec2::23/128", "the metadata service of a cloud", metadata}, // credentials of pods of Amazon EKS
		{"fd00:42::42/128", "the metadata service of a cloud", metadata},  // Scaleway
		{"fd20:ce::254/128", "the metadata service of a cloud", metadata},
		{"10.0.0.0/8", "a private address", private},
		{"172.16.0.0/12", "a private address", private},
		{"192.168.0.0/16", "a private address", private},
		{"fc00::/7", "a private address", private},
		{"fec0::/10", "a private address", private}, // site-local, deprecated and still routed
		{"100.64.0.0/10", "an address behind carrier-grade NAT", private},
		{"192.0.2.0/24", "an address for documentation", other},
		{"198.51.100.0/24", "an address for documentation", other},
		{"203.0.113.0/24", "an address for documentation", other},
		{"2001:db8::/32", "an address for documentation", other},
		{"3fff::/20", "an address for documentation", other},
		{"198.18.0.0/15", "an address for benchmarking", other},
		{"2001:2::/48", "an address for benchmarking", other},
		{"224.0.0.0/4", "a multicast address", other},
		{"ff00::/8", "a multicast address", other},
		{"255.255.255.255/32", "the broadcast address", other},
		{"240.0.0.0/4", "a reserved address", other},
		{"192.0.0.0/24", "reserved for protocols", other},
		{"192.88.99.0/24", "a 6to4 relay", other},
		{"2002::/16", "a 6to4 tunnel address", other},
		{"2001::/32", "a Teredo tunnel address", other},
		{"2001::/23", "reserved for protocols", other}, // ORCHID, AMT, AS112 and more
		{"64:ff9b::/96", "a NAT64 address", other},
		{"64:ff9b:1::/48", "a NAT64 address", other},
		{"::ffff:0:0:0/96", "an IPv4-translated address", other},
		{"::/96", "an IPv4-compatible address", other},
		{"100::/64", "a discarded address", other},
		{"5f00::/16", "a segment-routing address", other},
		// Global unicast is 2000::/3; whatever else IANA may give a meaning to is refused until it is known here.
		{"::/3", "a reserved address", other},
		{"4000::/2", "a reserved address", other},
		{"8000::/1", "a reserved address", other},
	}
	list := make([]special, len(texts))
	for i, t := range texts {
		list[i] = special{network: netip.MustParsePrefix(t.network), reason: t.reason, sort: t.sort}
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
