package azure

import (
	"net/http"
	"strings"
)

// template stands for the path of a request in its span. The names of secrets and of tenants are in none.
func template(r *http.Request) string {
	path := r.URL.Path
	switch name, isSecret := strings.CutPrefix(path, "/secrets/"); {
	case isSecret && strings.Contains(strings.TrimSuffix(name, "/"), "/"):
		return "/secrets/{name}/{version}"
	case isSecret:
		return "/secrets/{name}"
	case strings.HasSuffix(path, "/oauth2/v2.0/token"):
		return "/{tenant}/oauth2/v2.0/token"
	case path == "/metadata/identity/oauth2/token":
		return path
	default:
		return ""
	}
}
