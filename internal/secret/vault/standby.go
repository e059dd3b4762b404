package vault

import (
	"net/http"
	"net/url"
)

// standby follows the one redirect that Vault needs. A standby hands requests on to the active node by itself; only while it
// cannot, such as in an election, it answers 307 with the same path at the active node's address. The token goes along, so it is
// followed once, from https to https, and to nothing but the same path and query: a Vault whose certificate is trusted has said
// so, and it has the token already. Over plain http anybody could have said it.
type standby struct{ base http.RoundTripper }

// RoundTrip implements [http.RoundTripper].
func (s standby) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := s.base.RoundTrip(req)
	if err != nil || resp.StatusCode != http.StatusTemporaryRedirect {
		return resp, err
	}
	to, err := resp.Location()
	if err != nil || !active(req.URL, to) {
		return resp, nil //nolint:nilerr // the answer is the redirect, and an error of the store
	}
	again := req.Clone(req.Context())
	again.URL.Host, again.Host = to.Host, to.Host
	if req.GetBody != nil {
		if again.Body, err = req.GetBody(); err != nil {
			return resp, nil //nolint:nilerr // as above
		}
	} else if req.Body != nil && req.Body != http.NoBody {
		return resp, nil
	}
	resp.Body.Close()
	return s.base.RoundTrip(again)
}

// active reports whether to can be where the active node has what was asked for.
func active(asked, to *url.URL) bool {
	return asked.Scheme == "https" && to.Scheme == "https" && to.Host != "" && to.User == nil &&
		to.EscapedPath() == asked.EscapedPath() && to.RawQuery == asked.RawQuery
}
