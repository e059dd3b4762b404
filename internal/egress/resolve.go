package egress

import (
	"context"
	"errors"
	"net"
	"net/netip"
)

func systemResolver() Resolver { return net.DefaultResolver }

// resolve returns the addresses of a host, all judged, the two families taking turns (RFC 8305, 4). If any address is
// refused, the host is: whoever mixes inner addresses among public ones means no good.
func (g *Guard) resolve(ctx context.Context, host string, to target) ([]netip.Addr, error) {
	addr, fault := parseHost(host)
	if fault != "" {
		return nil, g.block(host, "nothing that can be judged")
	}
	addrs := []netip.Addr{addr}
	if !addr.IsValid() {
		var err error
		if addrs, err = g.resolver.LookupNetIP(ctx, "ip", host); err != nil {
			return nil, err
		}
		if len(addrs) == 0 {
			return nil, errors.New("it has no address")
		}
	}
	for i, addr := range addrs {
		addrs[i] = addr.Unmap()
		if err := g.judge(addr, to); err != nil {
			return nil, err
		}
	}
	return takeTurns(addrs), nil
}

// takeTurns orders addresses so that the families alternate, that of the first one first.
func takeTurns(addrs []netip.Addr) []netip.Addr {
	var first, second []netip.Addr
	for _, addr := range addrs {
		if addr.Is4() == addrs[0].Is4() {
			first = append(first, addr)
		} else {
			second = append(second, addr)
		}
	}
	turns := addrs[:0:0]
	for i := range max(len(first), len(second)) {
		turns = append(turns, first[min(i, len(first)):min(i+1, len(first))]...)
		turns = append(turns, second[min(i, len(second)):min(i+1, len(second))]...)
	}
	return turns
}

// lookupError says why a host has no address, without the name server, which is our own business.
func lookupError(host string, err error) error {
	reason := err.Error()
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		reason = dns.Err
	}
	return errors.New("looking up " + host + ": " + reason)
}
