package vault

import (
	"net/http"
	"strings"
)

// template stands for the path of a request in its span. Mounts and the names of secrets are in none.
func template(r *http.Request) string {
	path, ok := strings.CutPrefix(r.URL.Path, "/v1/")
	if !ok {
		return ""
	}
	switch path {
	case "auth/token/lookup-self", "auth/token/renew-self", "auth/token/revoke-self", "sys/leases/renew", "sys/leases/revoke", "sys/wrapping/unwrap":
		return "/v1/" + path
	}
	switch {
	case strings.HasPrefix(path, "auth/") && strings.HasSuffix(path, "/login"):
		return "/v1/auth/{mount}/login"
	case strings.HasPrefix(path, "sys/internal/ui/mounts/"):
		return "/v1/sys/internal/ui/mounts/{path}"
	default:
		return "/v1/{path}"
	}
}
