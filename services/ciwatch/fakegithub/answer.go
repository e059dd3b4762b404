package fakegithub

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// answered is an answer that is given until something changes in its repository: a simulation asks for it very often.
type answered struct {
	body  []byte
	total int
	etags map[string]string // by what they depend on
}

// made returns the answer to a question about a repository, and makes it if it is a new one.
func (s *Server) made(r *http.Request, repository *repository, build func() (body any, total int)) (*answered, error) {
	key := r.URL.RequestURI()
	if known, ok := repository.answers[key]; ok {
		return known, nil
	}
	object, total := build()
	body, err := json.Marshal(object)
	if err != nil {
		return nil, err
	}
	if repository.answers == nil {
		repository.answers = map[string]*answered{}
	}
	a := &answered{body: body, total: total, etags: map[string]string{}}
	repository.answers[key] = a
	return a, nil
}

// answer writes an object.
func (s *Server) answer(w http.ResponseWriter, r *http.Request, repository *repository, object any) {
	a, err := s.made(r, repository, func() (any, int) { return object, 0 })
	s.write(w, r, a, err)
}

// write writes a body with its ETag, or 304 when the client has it. The latter does not count against the rate limit of who
// carries a token.
func (s *Server) write(w http.ResponseWriter, r *http.Request, a *answered, err error) {
	if err != nil {
		refuse(w, http.StatusInternalServerError, err.Error())
		return
	}
	etag := s.etag(r, a)
	w.Header().Set("ETag", etag)
	if s.opts.PollInterval > 0 {
		w.Header().Set("X-Poll-Interval", strconv.Itoa(int(s.opts.PollInterval/time.Second)))
	}
	if strings.TrimPrefix(r.Header.Get("If-None-Match"), "W/") == strings.TrimPrefix(etag, "W/") {
		s.notModified++
		if s.opts.RateLimit > 0 && r.Header.Get("Authorization") == "" {
			s.spend(w, r, s.account(r))
		}
		w.WriteHeader(http.StatusNotModified)
		return
	}
	s.spend(w, r, s.account(r))
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Write(a.body)
}

// etag makes an ETag as GitHub does, as far as is known: of the headers Accept, Authorization and Cookie, and of the body.
func (s *Server) etag(r *http.Request, a *answered) string {
	var seed strings.Builder
	for _, name := range []string{"Accept", "Authorization", "Cookie"} {
		for _, value := range r.Header.Values(name) {
			seed.WriteString(value + ":")
		}
	}
	if s.opts.OtherETags {
		seed.WriteString("and something else:")
	}
	if etag, ok := a.etags[seed.String()]; ok {
		return etag
	}
	h := sha256.New()
	io.WriteString(h, seed.String()) //nolint:errcheck // a hash takes everything
	h.Write(a.body)
	etag := `W/"` + hex.EncodeToString(h.Sum(nil)) + `"`
	if len(a.etags) > 16 {
		clear(a.etags)
	}
	a.etags[seed.String()] = etag
	return etag
}

// page returns the bounds of a page in a list, and says in the Link header where there are others.
func page(w http.ResponseWriter, r *http.Request, total int) (from, to int) {
	query := r.URL.Query()
	size := min(max(number(query.Get("per_page"), 30), 1), 100)
	page := max(number(query.Get("page"), 1), 1)
	from = min((page-1)*size, total)
	to = min(from+size, total)
	if to < total {
		w.Header().Set("Link", link(r, page+1, "next")+", "+link(r, (total+size-1)/size, "last"))
	}
	return from, to
}

// link is one entry of a Link header.
func link(r *http.Request, page int, rel string) string {
	query := r.URL.Query()
	query.Set("page", strconv.Itoa(page))
	u := url.URL{Scheme: "http", Host: r.Host, Path: r.URL.Path, RawQuery: query.Encode()}
	return fmt.Sprintf("<%s>; rel=%q", u.String(), rel)
}

// matches reports whether a filter is empty or one of the values.
func matches(filter string, values ...string) bool {
	return filter == "" || slices.Contains(values, filter)
}

// number reads a parameter.
func number(s string, fallback int) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		return fallback
	}
	return n
}
