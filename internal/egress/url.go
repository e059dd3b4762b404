package egress

import (
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// CheckURL judges a URL before anything is sent to it, so that whoever names one that can never work hears of it at once.
// An error is [ErrURL] or a [BlockedError]; it names the host at most. That there is none says little of a name: what it
// resolves to is judged each time that it is dialled.
func (g *Guard) CheckURL(u *url.URL) error {
	if fault := urlFault(u); fault != "" {
		return fmt.Errorf("%w: %s", ErrURL, fault)
	}
	host := u.Hostname()
	addr, fault := parseHost(host)
	if fault == "" && (strings.Contains(u.Host, "[") != addr.Is6()) {
		fault = "only an IPv6 address stands in brackets, and it must"
	}
	if fault != "" {
		return fmt.Errorf("%w: %s", ErrURL, fault)
	}
	to := g.target(host, u.Scheme == "http")
	switch {
	case addr.IsValid():
		return g.judge(addr, to)
	case to.local:
		return g.judge(netip.AddrFrom4([4]byte{127, 0, 0, 1}), to)
	case to.plain && !to.allowed && !g.allowHTTP && len(g.networks) == 0:
		return g.blockPlain(host)
	default:
		return nil
	}
}

// urlFault says what is wrong with a URL, but for its host; nothing if nothing is.
func urlFault(u *url.URL) string {
	switch {
	case u == nil || u.Opaque != "" || u.Scheme != "http" && u.Scheme != "https":
		return "it is not of the form https://host/path"
	case u.User != nil:
		return "it holds a user name or a password; send them in the header Authorization"
	case u.Fragment != "" || u.RawFragment != "":
		return "it has a fragment (#…), which is never sent; leave it out"
	case !printable(u.RawQuery):
		return "its query has a space, a control character or a letter beyond ASCII; escape them with %"
	case !portOK(u):
		return "its port must be 1 to 65535"
	default:
		return ""
	}
}

// printable reports whether a text stands in a request's first line as it is.
func printable(text string) bool {
	for i := range len(text) {
		if text[i] <= ' ' || text[i] >= 0x7f {
			return false
		}
	}
	return true
}

func portOK(u *url.URL) bool {
	port := u.Port()
	if port == "" {
		return !strings.HasSuffix(u.Host, ":")
	}
	_, ok := parsePort(port)
	return ok
}

// parsePort reads a port that can be dialled.
func parsePort(text string) (uint16, bool) {
	port, err := strconv.ParseUint(text, 10, 16)
	return uint16(port), err == nil && port != 0
}
