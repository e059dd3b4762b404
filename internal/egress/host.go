package egress

import (
	"fmt"
	"net/netip"
	"strings"
)

// maxName is the longest name of a host (RFC 1035, 2.3.4, without the dot of the root).
const maxName = 253

// parseHosts reads the host patterns of a policy. Empty texts are skipped.
func parseHosts(patterns []string) (exact map[string]bool, below []string, err error) {
	exact = make(map[string]bool)
	for _, pattern := range patterns {
		pattern = strings.ToLower(strings.TrimSpace(pattern))
		if pattern == "" {
			continue
		}
		name, wild := strings.CutPrefix(pattern, "*.")
		if fault := nameFault(name); fault != "" {
			return nil, nil, fmt.Errorf("egress: %q is neither a host such as hooks.corp.example nor a pattern such as *.corp.example", pattern)
		}
		if wild {
			below = append(below, "."+name)
		} else {
			exact[name] = true
		}
	}
	return exact, below, nil
}

// target returns what the policy says of a host's name.
func (g *Guard) target(name string, plain bool) target {
	name = strings.ToLower(name)
	return target{plain: plain, allowed: g.allowsHost(name), local: isLocalName(name)}
}

func (g *Guard) allowsHost(name string) bool {
	if g.exact[name] {
		return true
	}
	for _, suffix := range g.below {
		if len(name) > len(suffix) && strings.HasSuffix(name, suffix) {
			return true
		}
	}
	return false
}

// parseHost reads the host of a URL or of a dial: an address, or a name. The fault says why it is neither. An address is
// accepted in its usual notation only: four decimal numbers, or IPv6 without a zone.
func parseHost(host string) (addr netip.Addr, fault string) {
	addr, err := netip.ParseAddr(host)
	switch {
	case err != nil:
		return netip.Addr{}, nameFault(host)
	case addr.Zone() != "":
		return netip.Addr{}, "its host has a zone, which means something on one machine only"
	default:
		return addr, ""
	}
}

// nameFault says why name is not the name of a host; nothing if it is. A name that a resolver might take for an address
// (127.1, 0x7f000001, 2130706433, 0177.0.0.1) is none: its last label would be a number.
func nameFault(name string) string {
	switch {
	case name == "":
		return "it names no host"
	case len(name) > maxName:
		return "the name of its host is too long"
	case strings.HasSuffix(name, "."):
		return "its host ends in a dot; leave the dot out"
	}
	last := name
	for label := range strings.SplitSeq(name, ".") {
		if !isLabel(label) {
			return "its host is not a name of letters, digits and hyphens; write other letters in their xn-- form"
		}
		last = label
	}
	if isNumber(last) {
		return "its host is an address in an unusual notation; write it as four decimal numbers"
	}
	return ""
}

// isLabel reports whether label may stand between the dots of a name. Underscores are no letters of host names, yet in use.
func isLabel(label string) bool {
	if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
		return false
	}
	for i := range len(label) {
		c := label[i] | 0x20 // lower case
		if (c < 'a' || c > 'z') && (label[i] < '0' || label[i] > '9') && label[i] != '-' && label[i] != '_' {
			return false
		}
	}
	return true
}

// isNumber reports whether label would be read as a number, decimal, octal or hexadecimal.
func isNumber(label string) bool {
	digits := "0123456789"
	if rest, ok := strings.CutPrefix(strings.ToLower(label), "0x"); ok {
		label, digits = rest, "0123456789abcdefABCDEF"
	}
	return strings.Trim(label, digits) == ""
}

// isLocalName reports whether name, in lower case, is one of this host by RFC 6761 or by the usual /etc/hosts.
func isLocalName(name string) bool {
	switch name {
	case "localhost", "localhost.localdomain", "localhost4", "localhost4.localdomain4", "localhost6", "localhost6.localdomain6",
		"ip6-localhost", "ip6-loopback":
		return true
	default:
		return strings.HasSuffix(name, ".localhost")
	}
}
