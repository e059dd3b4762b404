package gitlab

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge/rest"
)

// maxMoved bounds the renamed projects whose place is remembered.
const maxMoved = 4096

// address returns the URL of a request, at the place to which its project has moved.
func (f *Forge) address(req request) *url.URL {
	path := req.path
	if req.repository != "" {
		f.mu.Lock()
		place, ok := f.moved[strings.ToLower(req.repository)]
		f.mu.Unlock()
		if !ok {
			place = "projects/" + escaped(req.repository) // it was checked
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

// follow returns where a redirect leads: within the API of the same host only, since the token goes with the request. A project that was
// renamed is asked for by its id from now on, and so are orders, which GitLab does not redirect.
func (f *Forge) follow(req request, from *url.URL, r *reply) (*url.URL, error) {
	to, err := from.Parse(r.header.Get("Location"))
	if err != nil || r.header.Get("Location") == "" || to.User != nil || !rest.SameOrigin(to, f.base) || !strings.HasPrefix(to.Path, f.base.Path) ||
		req.method != http.MethodGet {
		return nil, errRedirect
	}
	switch r.status {
	case http.StatusMovedPermanently, http.StatusPermanentRedirect, http.StatusFound, http.StatusTemporaryRedirect:
		f.remember(req, to)
	default:
		return nil, errRedirect
	}
	to.Fragment = ""
	return to, nil
}

// remember notes where a project is now, if that is the only difference.
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

// forgetMoved drops the place of a project that is not there any more: the old name may be another one's now.
func (f *Forge) forgetMoved(req request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.moved, strings.ToLower(req.repository))
}

// isPlace reports whether a path is that of a project by its id.
func isPlace(path string) bool {
	id, ok := strings.CutPrefix(path, "projects/")
	return ok && id != "" && len(id) < 20 && strings.Trim(id, "0123456789") == ""
}
