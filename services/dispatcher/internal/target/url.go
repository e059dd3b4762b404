package target

import (
	"errors"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// masked stands for what is not shown.
const masked = "***"

// ParseURL reads an endpoint's URL: absolute, http or https, with a host and without a fragment. Its errors do not quote
// the URL, which may hold credentials.
func ParseURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return nil, errors.New("it is not a URL such as https://example.com/hook")
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, errors.New("its scheme must be http or https")
	case u.Hostname() == "":
		return nil, errors.New("it names no host")
	case u.Fragment != "":
		return nil, errors.New("it has a fragment (#…), which is never sent")
	case !validPort(u.Port()):
		return nil, errors.New("its port is not 1 to 65535")
	}
	return u, nil
}

// validPort checks a port, which may be left out.
func validPort(port string) bool {
	if port == "" {
		return true
	}
	n, err := strconv.ParseUint(port, 10, 16)
	return err == nil && n > 0
}

// checkTarget checks a URL together with what the endpoint says of TLS.
func checkTarget(u *url.URL, tls *events.EndpointTLS) error {
	switch {
	case u == nil:
		return events.Errorf(events.CodeInvalidArgument, "url is missing")
	case tls != nil && u.Scheme != "https":
		return events.Errorf(events.CodeInvalidArgument, "tls is set, and the url is not one of https")
	default:
		return nil
	}
}

// maskURL returns a URL without what it may hide: its user, and the values of its query.
func maskURL(u *url.URL) string {
	shown := *u
	if shown.User != nil {
		shown.User = url.User(masked)
	}
	shown.RawQuery = maskQuery(shown.RawQuery)
	return strings.ReplaceAll(shown.String(), url.QueryEscape(masked), masked)
}

// maskQuery returns a query without its values. What has no name, as in ?TOKEN, is a value.
func maskQuery(raw string) string {
	var shown []string
	for part := range strings.SplitSeq(raw, "&") {
		name, _, named := strings.Cut(part, "=")
		name, err := url.QueryUnescape(name)
		switch {
		case part == "":
		case !named || err != nil || strings.Contains(name, ";"):
			shown = append(shown, masked)
		default:
			shown = append(shown, url.QueryEscape(name)+"="+masked)
		}
	}
	slices.Sort(shown)
	return strings.Join(slices.Compact(shown), "&")
}
