package health

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// The bounds of a probe. The time is longer than that of a check, whose outcome would otherwise not be seen.
const (
	probeTimeout = checkTimeout + time.Second
	maxReport    = 64 << 10
)

// Probe asks the admin listener at addr, as it stands in the configuration of the process, whether the process is ready.
// It returns nil if so, degraded or not, else an error that says what is wrong.
func Probe(ctx context.Context, addr string) error {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("admin-addr %s: %w", addr, err)
	}
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	url := "http://" + net.JoinHostPort(reachable(host), port) + "/readyz"
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return fmt.Errorf("admin-addr %s: %w", addr, err)
	}
	// No proxy: the process to ask is on this machine.
	transport := &http.Transport{DisableKeepAlives: true, MaxResponseHeaderBytes: maxReport}
	defer transport.CloseIdleConnections()
	response, err := transport.RoundTrip(request)
	if err != nil {
		return fmt.Errorf("ask %s: %w", url, err)
	}
	defer response.Body.Close()
	if response.StatusCode == http.StatusOK {
		return nil
	}
	var report Report
	if err := json.NewDecoder(io.LimitReader(response.Body, maxReport)).Decode(&report); err != nil {
		return fmt.Errorf("%s answers %s", url, response.Status)
	}
	return fmt.Errorf("%s", report)
}

// reachable returns the host at which a process is reached that listens on host.
func reachable(host string) string {
	if host == "" {
		return "127.0.0.1"
	}
	ip, err := netip.ParseAddr(host)
	switch {
	case err != nil || !ip.IsUnspecified():
		return host
	case ip.Is4():
		return "127.0.0.1"
	default:
		return "::1"
	}
}

// String returns the report in one line, what is wrong first.
func (r Report) String() string {
	var parts []string
	for _, status := range []Status{StatusFailed, StatusDegraded} {
		for _, name := range slices.Sorted(maps.Keys(r.Checks)) {
			if result := r.Checks[name]; result.Status == status {
				parts = append(parts, name+" "+string(status)+": "+result.Message)
			}
		}
	}
	if len(parts) == 0 {
		return string(r.Status)
	}
	return string(r.Status) + "; " + strings.Join(parts, "; ")
}
