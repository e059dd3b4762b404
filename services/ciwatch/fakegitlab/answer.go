package fakegitlab

import (
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// answer writes an object with its ETag, or 304 when the client has it.
func (s *Server) answer(w http.ResponseWriter, r *http.Request, status int, object any) {
	body, err := json.Marshal(object)
	if err != nil {
		refuse(w, http.StatusInternalServerError, err.Error())
		return
	}
	sum := md5.Sum(body) // as long as GitLab's
	etag := `W/"` + hex.EncodeToString(sum[:]) + `"`
	w.Header().Set("ETag", etag)
	w.Header().Set("Cache-Control", "max-age=0, private, must-revalidate")
	if r.Method == http.MethodGet && r.Header.Get("If-None-Match") == etag {
		s.notModified++
		w.WriteHeader(http.StatusNotModified)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	w.Write(body)
}

// page returns the bounds of a page in a list, and says in the headers where there are others.
func page(w http.ResponseWriter, r *http.Request, total int) (from, to int) {
	query := r.URL.Query()
	size := min(max(number(query.Get("per_page"), 20), 1), 100)
	page := max(number(query.Get("page"), 1), 1)
	from = min((page-1)*size, total)
	to = min(from+size, total)
	w.Header().Set("X-Page", strconv.Itoa(page))
	w.Header().Set("X-Per-Page", strconv.Itoa(size))
	links := link(r, 1, "first") + ", " + link(r, max((total+size-1)/size, 1), "last")
	if to < total {
		w.Header().Set("X-Next-Page", strconv.Itoa(page+1))
		links = link(r, page+1, "next") + ", " + links
	}
	w.Header().Set("Link", links)
	return from, to
}

// link is one entry of a Link header.
func link(r *http.Request, page int, rel string) string {
	query := r.URL.Query()
	query.Set("page", strconv.Itoa(page))
	u := url.URL{Scheme: "https", Host: r.Host, Path: r.URL.Path, RawPath: r.URL.RawPath, RawQuery: query.Encode()}
	return fmt.Sprintf("<%s>; rel=%q", u.String(), rel)
}

// number reads a parameter.
func number(s string, fallback int) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		return fallback
	}
	return n
}

// written is a time as answers have it; nil when there is none.
func written(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC().Format("2006-01-02T15:04:05.000Z07:00")
}

// posted is a time as webhooks have it; nil when there is none.
func posted(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC().Format("2006-01-02 15:04:05 UTC")
}
