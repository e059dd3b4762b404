package azure_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/neuron7x/mlsdm-integrations/internal/secret/secrettest"
)

// Who is who. The fake is all of them.
const (
	vaultHost    = "test.vault.azure.net"
	vaultURL     = "https://" + vaultHost
	loginHost    = "login.microsoftonline.com"
	tenant       = "00000000-0000-0000-0000-00000000aaaa"
	clientID     = "00000000-0000-0000-0000-00000000bbbb"
	clientSecret = "client-secret-" + secrettest.Canary
	federated    = "federated-token-" + secrettest.Canary
	bearer       = "access-token-" + secrettest.Canary
	said         = "As told. " + secrettest.Canary
	saidOfLogin  = "AADSTS7000215 " + secrettest.Canary
)

// fake answers as Key Vault and Entra ID do.
type fake struct {
	mu        sync.Mutex
	secrets   map[string][]version // the versions, by name
	challenge string               // instead of Key Vault's own
	login     http.HandlerFunc     // instead of Entra ID's token endpoint
}

// version is a secret as Key Vault gives it out.
type version struct {
	Value      string         `json:"value"`
	ID         string         `json:"id"`
	Attributes map[string]any `json:"attributes"`
}

// versionID is what the fake calls a version, 0 for the oldest.
func versionID(n int) string { return fmt.Sprintf("%032x", 0xabc0+n) }

// put adds a version, which is the current one then.
func (f *fake) put(name string, c secrettest.Content, attributes map[string]any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	text := c.Text
	if c.Fields != nil {
		encoded, err := json.Marshal(c.Fields)
		if err != nil {
			panic(err)
		}
		text = string(encoded)
	}
	all := map[string]any{"enabled": true, "created": 1493938410, "updated": 1493938410, "recoveryLevel": "Recoverable+Purgeable"}
	maps.Copy(all, attributes)
	f.secrets[name] = append(f.secrets[name], version{text, vaultURL + "/secrets/" + name + "/" + versionID(len(f.secrets[name])), all})
}

// ServeHTTP implements [http.Handler].
func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	switch r.Host {
	case vaultHost:
		f.vault(w, r)
	case loginHost:
		f.entra(w, r)
	default:
		http.Error(w, "nobody is called "+r.Host, http.StatusTeapot)
	}
}

// refuse answers as Key Vault does when it will not.
func refuse(w http.ResponseWriter, status int, code, inner string) {
	failure := map[string]any{"code": code, "message": said}
	if inner != "" {
		failure["innererror"] = map[string]string{"code": inner}
	}
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"error": failure})
}

// vault is Key Vault: GET /secrets/NAME/[VERSION].
// https://learn.microsoft.com/rest/api/keyvault/secrets/get-secret/get-secret
func (f *fake) vault(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if r.Header.Get("Authorization") != "Bearer "+bearer {
		challenge := f.challenge
		if challenge == "" {
			challenge = `Bearer authorization="https://` + loginHost + `/` + tenant + `", resource="https://vault.azure.net"`
		}
		w.Header().Set("WWW-Authenticate", challenge)
		refuse(w, http.StatusUnauthorized, "Unauthorized", "")
		return
	}
	parts := strings.Split(r.URL.Path, "/")
	if r.Method != http.MethodGet || len(parts) != 4 || parts[1] != "secrets" || r.URL.Query().Get("api-version") == "" {
		refuse(w, http.StatusBadRequest, "BadParameter", "")
		return
	}
	versions := f.secrets[parts[2]]
	at := len(versions) - 1
	if parts[3] != "" {
		at = slices.IndexFunc(versions, func(v version) bool { return strings.HasSuffix(v.ID, "/"+parts[3]) })
	}
	switch {
	case at < 0:
		refuse(w, http.StatusNotFound, "SecretNotFound", "")
	case versions[at].Attributes["enabled"] != any(true):
		refuse(w, http.StatusForbidden, "Forbidden", "SecretDisabled")
	default:
		_ = json.NewEncoder(w).Encode(versions[at])
	}
}

// entra is Entra ID: who the tenant is, and tokens for a client's secret or for the token of a workload.
func (f *fake) entra(w http.ResponseWriter, r *http.Request) {
	authority := "https://" + loginHost + "/" + tenant
	switch r.URL.Path {
	case "/common/discovery/instance":
		_ = json.NewEncoder(w).Encode(map[string]any{
			"tenant_discovery_endpoint": authority + "/v2.0/.well-known/openid-configuration",
			"metadata":                  []any{map[string]any{"preferred_network": loginHost, "preferred_cache": "login.windows.net", "aliases": []string{loginHost}}},
		})
	case "/" + tenant + "/v2.0/.well-known/openid-configuration":
		_ = json.NewEncoder(w).Encode(map[string]string{
			"issuer": authority + "/v2.0", "authorization_endpoint": authority + "/oauth2/v2.0/authorize", "token_endpoint": authority + "/oauth2/v2.0/token",
		})
	case "/" + tenant + "/oauth2/v2.0/token":
		f.mu.Lock()
		login := f.login
		f.mu.Unlock()
		if login == nil {
			login = token
		}
		login(w, r)
	default:
		http.NotFound(w, r)
	}
}

// token gives the token for Key Vault.
func token(w http.ResponseWriter, r *http.Request) {
	known := r.PostFormValue("client_secret") == clientSecret || r.PostFormValue("client_assertion") == federated
	if !known || r.PostFormValue("grant_type") != "client_credentials" || r.PostFormValue("client_id") != clientID ||
		!strings.HasPrefix(r.PostFormValue("scope"), "https://vault.azure.net/.default") {
		noToken(http.StatusUnauthorized, "invalid_client")(w, r)
		return
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"token_type": "Bearer", "expires_in": 3599, "ext_expires_in": 3599, "access_token": bearer})
}

// noToken is a token endpoint that gives none.
func noToken(status int, code string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(map[string]any{"error": code, "error_description": saidOfLogin, "error_codes": []int{7000215}})
	}
}

// network starts a server and returns a transport on which every host is that server.
func network(t *testing.T, h http.Handler) *http.Transport {
	t.Helper()
	server := httptest.NewUnstartedServer(h)
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	server.StartTLS()
	t.Cleanup(server.Close)
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	transport := &http.Transport{
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, server.Listener.Addr().String())
		},
		TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: "example.com", MinVersion: tls.VersionTLS12},
	}
	t.Cleanup(transport.CloseIdleConnections)
	return transport
}
