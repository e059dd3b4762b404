// Package egress keeps connections to addresses that strangers chose out of our own network.
//
// A [Guard] judges a URL when somebody names it, and every address when it is dialled, after DNS: it resolves names
// itself, refuses a name of which any address is refused, and dials only addresses that it has judged. So neither a name
// that resolves to an inner address nor one that changes its mind between a check and its use gets through. It fails
// closed: what it does not know to be a public address is refused. The ranges are those of IANA's special-purpose
// registries for IPv4 and IPv6 (https://www.iana.org/assignments/iana-ipv4-special-registry, …/iana-ipv6-special-registry),
// and the addresses by which clouds serve credentials to whoever asks from inside.
//
// The operator may allow more, by a [Policy]:
//
//   - a network: its addresses may be dialled, also over plain http. The metadata service of a cloud is allowed only by
//     its own address, never by a network around it.
//   - a host: it may be spoken to over plain http, and may resolve to private addresses (10/8, 172.16/12, 192.168/16,
//     100.64/10, fc00::/7, fec0::/10); if it is a name of this host, such as localhost, to loopback addresses too. All
//     other special addresses need their network to be allowed.
package egress

import (
	"context"
	"net/netip"
	"net/url"
	"slices"
	"syscall"
)

// Policy is what an operator allows.
type Policy struct {
	// Setting is the name by which the operator knows Networks, for errors.
	Setting string
	// Networks may be dialled although they are not public.
	Networks []netip.Prefix
	// Hosts are names whose addresses may be private and which may be spoken to over plain http: exact names, or
	// *.corp.example for all names below corp.example, but not for that one.
	Hosts []string
	// AllowHTTP allows plain http to every host.
	AllowHTTP bool
	// Proxy is an HTTP proxy, http or https, through which all connections go by CONNECT; its user name and password are
	// sent to it. The Guard still resolves and judges the target, and asks the proxy for the address, not for the name. The
	// proxy's own address is the operator's choice and is not judged. Nil is no proxy; that of the environment is not used.
	Proxy *url.URL
	// Resolver looks names up; nil is [net.DefaultResolver].
	Resolver Resolver
}

// Resolver looks up the addresses of a host, as [net.Resolver] does. The network is always "ip".
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// Guard decides which addresses may be dialled. It is safe for concurrent use.
type Guard struct {
	setting   string
	networks  []netip.Prefix
	special   []special
	exact     map[string]bool
	below     []string // ".corp.example"
	allowHTTP bool
	proxy     *proxy
	resolver  Resolver
}

// NewGuard returns the Guard of a policy. An error says which host pattern or proxy is not one, and holds no password.
func NewGuard(p Policy) (*Guard, error) {
	exact, below, err := parseHosts(p.Hosts)
	if err != nil {
		return nil, err
	}
	via, err := newProxy(p.Proxy)
	if err != nil {
		return nil, err
	}
	g := &Guard{
		setting: p.Setting, networks: slices.Clone(p.Networks), special: specials(), exact: exact, below: below,
		allowHTTP: p.AllowHTTP, proxy: via, resolver: p.Resolver,
	}
	if g.resolver == nil {
		g.resolver = systemResolver()
	}
	return g, nil
}

// Check returns a [BlockedError] if addr may not be dialled, whatever its name. An IPv4-mapped IPv6 address is judged as
// the IPv4 address that the kernel would connect to.
func (g *Guard) Check(addr netip.Addr) error { return g.judge(addr, target{}) }

// target is what is known of a connection's goal besides its address.
type target struct {
	plain   bool // without TLS
	allowed bool // its name is one of the policy's hosts
	local   bool // its name is one of this host
}

// judge decides about one address.
func (g *Guard) judge(addr netip.Addr, to target) error {
	addr = addr.Unmap().WithZone("")
	if !addr.IsValid() {
		return g.block("no address", "nothing that can be judged")
	}
	is := g.classify(addr)
	if g.inNetworks(addr, is.sort) {
		// An address that stands for an IPv4 address behind a translator is no way around the rules for that one.
		if inner, ok := translated(addr); ok {
			to.plain = false // the network around it is allowed, plain http with it
			return g.judge(inner, to)
		}
		return nil
	}
	switch {
	case is.reason != "" && !to.reaches(is.sort):
		return g.block(addr.String(), is.reason)
	case to.plain && !to.allowed && !g.allowHTTP:
		return g.blockPlain(addr.String())
	default:
		return nil
	}
}

// reaches reports whether the name of a target makes up for what its address is.
func (t target) reaches(s sort) bool {
	return t.allowed && (s == private || s == loopback && t.local)
}

// inNetworks reports whether the policy allows addr by its networks.
func (g *Guard) inNetworks(addr netip.Addr, s sort) bool {
	for _, network := range g.networks {
		if network.Contains(addr) && (s != metadata || network.IsSingleIP()) {
			return true
		}
	}
	return false
}

// classify returns what is special about addr; of a public address nothing.
func (g *Guard) classify(addr netip.Addr) special {
	for _, s := range g.special {
		if s.network.Contains(addr) {
			return s
		}
	}
	if addr.Is6() && isatap(addr) {
		return special{reason: "an ISATAP tunnel address"}
	}
	return special{}
}

// control returns a function of the form of [net.Dialer.ControlContext] that judges the address of a connection once more,
// as the kernel will get it.
func (g *Guard) control(to target) func(context.Context, string, string, syscall.RawConn) error {
	return func(_ context.Context, network, address string, _ syscall.RawConn) error {
		if network != "tcp4" && network != "tcp6" {
			return g.block(address, "not reached by TCP but by "+network)
		}
		socket, err := netip.ParseAddrPort(address)
		if err != nil {
			return g.block(address, "nothing that can be judged")
		}
		return g.judge(socket.Addr(), to)
	}
}
