package github

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge/rest"
)

// maxMoved bounds the renamed repositories whose place is remembered.
const maxMoved = 4096

// address returns the URL of a request, at the place to which its repository has moved.
func (f *Forge) address(req request) *url.URL {
	path := req.path
	if req.repository != "" {
		f.mu.Lock()
		place, ok := f.moved[strings.ToLower(req.repository)]
		f.mu.Unlock()
		if !ok {
			place = "repos/" + req.repository // it was checked
		}
		path = place + path
	}
	u := *f.base
	if unescaped, err := url.PathUnescape(path); err == nil {
		u.RawPath, u.Path = u.Path+path, u.Path+unescaped
	}
	u.RawQuery = req.query.Encode()
	return &u
}

// follow returns where a redirect leads: within the API of the same host only, since the token goes with the request. A repository
// that was renamed has moved for good, and is asked for there from now on.
func (f *Forge) follow(req request, from *url.URL, r *reply) (*url.URL, error) {
	to, err := from.Parse(r.header.Get("Location"))
	if err != nil || r.header.Get("Location") == "" || to.User != nil || !rest.SameOrigin(to, f.base) || !strings.HasPrefix(to.Path, f.base.Path) {
		return nil, errRedirect
	}
	switch r.status {
	case http.StatusMovedPermanently, http.StatusPermanentRedirect:
		f.remember(req, to)
	case http.StatusTemporaryRedirect:
	case http.StatusFound:
		if req.method != http.MethodGet { // clients disagree about what becomes of an order
			return nil, errRedirect
		}
	default:
		return nil, errRedirect
	}
	to.Fragment = ""
	return to, nil
}

// remember notes where a repository is now, if that is the only difference.
func (f *Forge) remember(req request, to *url.URL) {
	place, ok := strings.CutSuffix(strings.TrimPrefix(to.EscapedPath(), f.base.EscapedPath()), req.path)
	if req.repository == "" || !ok || !isPlace(place) {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.moved) >= maxMoved {
		clear(f.moved) // it costs a request each to find out again
	}
	f.moved[strings.ToLower(req.repository)] = place
}

// forgetMoved drops the place of a repository that is not there any more: the old name may be another one's now.
func (f *Forge) forgetMoved(req request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.moved, strings.ToLower(req.repository))
}

// isPlace reports whether a path is that of a repository: repositories/ID or repos/OWNER/NAME.
func isPlace(path string) bool {
	if id, ok := strings.CutPrefix(path, "repositories/"); ok {
		return id != "" && len(id) < 20 && strings.Trim(id, "0123456789") == ""
	}
	name, ok := strings.CutPrefix(path, "repos/")
	return ok && isRepository(name)
}
