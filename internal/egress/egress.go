// Package egress keeps connections to addresses that strangers chose out of our own network.
//
// A [Guard] judges an address when it is dialled, after DNS, so neither a name that resolves to an inner address nor
// one that changes its mind between a check and its use gets through. It fails closed: what it does not know to be a
// public address is refused. The ranges are those of IANA's special-purpose registries for IPv4 and IPv6
// (https://www.iana.org/assignments/iana-ipv4-special-registry, …/iana-ipv6-special-registry), and the addresses by
// which clouds serve credentials to whoever asks from inside.
package egress

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"syscall"
)

// ErrBlocked is what every [BlockedError] is.
var ErrBlocked = errors.New("egress: address not allowed")

// BlockedError is a connection that was refused before it was tried.
type BlockedError struct {
	// Address is what was dialled: an IP address or, when it could not be understood, the text.
	Address string
	// Reason says what sort of address it is.
	Reason string
	// Setting is the name of the setting that allows networks.
	Setting string
}

// Error implements error.
func (e *BlockedError) Error() string {
	return fmt.Sprintf("%s: %s is %s; to allow it, name its network in %s", ErrBlocked, e.Address, e.Reason, e.Setting)
}

// Unwrap returns [ErrBlocked].
func (e *BlockedError) Unwrap() error { return ErrBlocked }

// Guard decides which addresses may be dialled. It is safe for concurrent use.
type Guard struct {
	setting string
	allowed []netip.Prefix
	special []special
}

// New returns a Guard that allows every public address, and of the others those in the allowed networks. The setting is
// the name by which the operator knows the allowed networks, for errors.
func New(setting string, allowed []netip.Prefix) *Guard {
	return &Guard{setting: setting, allowed: allowed, special: specials()}
}

// ParseNetworks reads networks in CIDR form; a bare address stands for itself alone. A network of IPv4-mapped IPv6
// addresses becomes the IPv4 network. Empty texts are skipped.
func ParseNetworks(texts []string) ([]netip.Prefix, error) {
	var networks []netip.Prefix
	for _, text := range texts {
		text = strings.TrimSpace(text)
		if text == "" {
			continue
		}
		network, err := parseNetwork(text)
		if err != nil {
			return nil, fmt.Errorf("egress: %q is neither a network such as 10.1.0.0/16 nor an address", text)
		}
		networks = append(networks, network)
	}
	return networks, nil
}

func parseNetwork(text string) (netip.Prefix, error) {
	if addr, err := netip.ParseAddr(text); err == nil && addr.Zone() == "" {
		addr = addr.Unmap()
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	network, err := netip.ParsePrefix(text)
	if err != nil {
		return netip.Prefix{}, err
	}
	if addr := network.Addr(); addr.Is4In6() && network.Bits() >= 96 {
		network = netip.PrefixFrom(addr.Unmap(), network.Bits()-96)
	}
	return network.Masked(), nil
}

// Check returns a [BlockedError] if addr may not be dialled. An IPv4-mapped IPv6 address is judged as the IPv4 address
// that the kernel would connect to.
func (g *Guard) Check(addr netip.Addr) error {
	addr = addr.Unmap().WithZone("")
	if !addr.IsValid() {
		return g.block("no address", "nothing that can be judged")
	}
	if g.allows(addr) {
		// An address that stands for an IPv4 address behind a translator is no way around the rules for that one.
		if inner, ok := translated(addr); ok {
			return g.Check(inner)
		}
		return nil
	}
	if reason := g.classify(addr); reason != "" {
		return g.block(addr.String(), reason)
	}
	return nil
}

// Control has the form of [net.Dialer.ControlContext]: it judges the address of each connection before it is made.
func (g *Guard) Control(_ context.Context, network, address string, _ syscall.RawConn) error {
	if network != "tcp4" && network != "tcp6" {
		return g.block(address, "not reached by TCP but by "+network)
	}
	target, err := netip.ParseAddrPort(address)
	if err != nil {
		return g.block(address, "nothing that can be judged")
	}
	return g.Check(target.Addr())
}

func (g *Guard) block(address, reason string) error {
	return &BlockedError{Address: address, Reason: reason, Setting: g.setting}
}

func (g *Guard) allows(addr netip.Addr) bool {
	for _, network := range g.allowed {
		if network.Contains(addr) {
			return true
		}
	}
	return false
}

// classify returns what is special about addr, or nothing if it is a public address.
func (g *Guard) classify(addr netip.Addr) string {
	for _, s := range g.special {
		if s.network.Contains(addr) {
			return s.reason
		}
	}
	if addr.Is6() && isatap(addr) {
		return "an ISATAP tunnel address"
	}
	return ""
}
