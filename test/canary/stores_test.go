package canary_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Who the stores are on the network of [planted.newStores].
const (
	vaultHost = "vault.canary.example"
	awsRegion = "eu-north-1"
	awsHost   = "secretsmanager." + awsRegion + ".amazonaws.com"
	azureHost = "canary.vault.azure.net"
	entraHost = "login.microsoftonline.com"
	tenant    = "00000000-0000-0000-0000-00000000aaaa"
)

// Moods of the stores: they give what they have, refuse it, or fail.
const (
	giving int32 = iota
	refusing
	failing
)

// stores are Vault, Secrets Manager, Key Vault and Entra ID, behind a proxy through which they are reached by their own names.
type stores struct {
	proxy, roots string            // the proxy's URL, and the file of who vouches for them
	values       map[string]string // what each of them holds
	mood         atomic.Int32
	bearer       string
	tells        map[string]any // what goes with what they say
	why          string
}

// newStores starts stores whose values, versions and errors are canaries.
func (p planted) newStores(t *testing.T) *stores {
	t.Helper()
	s := &stores{
		values: map[string]string{"vault": p.word("a value of Vault"), "aws": p.word("a value of AWS"), "azure": p.word("a value of Azure")},
		bearer: p.word("a bearer's token"), why: p.mixed("an error of a store"),
	}
	s.tells = map[string]any{"custom": p.mixed("what a store tells beside"), p.word("a member of a store"): p.word("what is in it")}
	server := httptest.NewUnstartedServer(s)
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	certificate, roots := vouched(t, vaultHost, awsHost, azureHost, entraHost)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}
	server.StartTLS()
	t.Cleanup(server.Close)
	proxy := httptest.NewServer(tunnel(server.Listener.Addr().String()))
	t.Cleanup(proxy.Close)
	s.proxy, s.roots = proxy.URL, write(t, t.TempDir(), "roots.pem", roots)
	return s
}

// ServeHTTP implements [http.Handler].
func (s *stores) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Request-Id", s.why[:40])
	w.Header().Set("Content-Type", "application/json")
	if mood := s.mood.Load(); mood != giving && r.Host != entraHost {
		w.WriteHeader(map[int32]int{refusing: http.StatusForbidden, failing: http.StatusInternalServerError}[mood])
		reply(w, map[string]any{
			"errors": []string{s.why}, "warnings": []string{s.why}, "__type": "AccessDeniedException", "Message": s.why,
			"error": map[string]any{"code": "Forbidden", "message": s.why, "innererror": map[string]string{"code": "ForbiddenByPolicy", "message": s.why}},
		})
		return
	}
	switch r.Host {
	case vaultHost:
		s.vault(w, r)
	case awsHost:
		s.aws(w, r)
	case azureHost:
		s.azure(w, r)
	case entraHost:
		s.entra(w, r)
	}
}

// vault is Vault with a KV engine, where every entry below mlsdm is the same.
func (s *stores) vault(w http.ResponseWriter, r *http.Request) {
	switch path, found := strings.CutPrefix(r.URL.Path, "/v1/secret/data/mlsdm/"); {
	case strings.HasPrefix(r.URL.Path, "/v1/sys/internal/ui/mounts/"):
		reply(w, map[string]any{"data": map[string]any{"path": "secret/", "type": "kv", "options": map[string]string{"version": "2"}}})
	case strings.HasPrefix(r.URL.Path, "/v1/auth/token/lookup-self"):
		reply(w, map[string]any{"data": map[string]any{"id": s.bearer, "ttl": 0, "renewable": false, "meta": s.tells}})
	case found && path != "":
		reply(w, map[string]any{
			"request_id": s.bearer, "warnings": []string{s.why},
			"data": map[string]any{"data": map[string]string{"value": s.values["vault"]}, "metadata": map[string]any{"version": 1, "custom_metadata": s.tells}},
		})
	default:
		w.WriteHeader(http.StatusNotFound)
		reply(w, map[string]any{"errors": []string{s.why}})
	}
}

// aws is Secrets Manager.
func (s *stores) aws(w http.ResponseWriter, r *http.Request) {
	var request struct {
		ID string `json:"SecretId"`
	}
	if err := json.NewDecoder(r.Body).Decode(&request); err != nil || !strings.HasPrefix(request.ID, "mlsdm/") {
		w.WriteHeader(http.StatusBadRequest)
		reply(w, map[string]any{"__type": "ResourceNotFoundException", "Message": s.why})
		return
	}
	reply(w, map[string]any{
		"ARN": "arn:aws:secretsmanager:" + awsRegion + ":1:secret:" + request.ID, "Name": request.ID, "SecretString": s.values["aws"],
		"VersionId": "EXAMPLE1-90ab-cdef-fedc-ba987SECRET1", "VersionStages": []string{s.bearer},
	})
}

// azure is Key Vault.
func (s *stores) azure(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "Bearer "+s.bearer {
		w.Header().Set("WWW-Authenticate", `Bearer authorization="https://`+entraHost+`/`+tenant+`", resource="https://vault.azure.net"`)
		w.WriteHeader(http.StatusUnauthorized)
		reply(w, map[string]any{"error": map[string]any{"code": "Unauthorized", "message": s.why}})
		return
	}
	if !strings.HasSuffix(r.URL.Path, "/") { // a version is asked for
		w.WriteHeader(http.StatusNotFound)
		reply(w, map[string]any{"error": map[string]any{"code": "SecretNotFound", "message": s.why}})
		return
	}
	reply(w, map[string]any{
		"value": s.values["azure"], "id": "https://" + azureHost + r.URL.Path + "/0000000000000000000000000000abc0", "tags": s.tells,
		"attributes": map[string]any{"enabled": true, "created": 1493938410, "updated": 1493938410}, "contentType": s.why,
	})
}

// entra is Entra ID.
func (s *stores) entra(w http.ResponseWriter, r *http.Request) {
	authority := "https://" + entraHost + "/" + tenant
	switch {
	case r.URL.Path == "/common/discovery/instance":
		reply(w, map[string]any{
			"tenant_discovery_endpoint": authority + "/v2.0/.well-known/openid-configuration",
			"metadata":                  []any{map[string]any{"preferred_network": entraHost, "preferred_cache": "login.windows.net", "aliases": []string{entraHost}}},
		})
	case strings.HasSuffix(r.URL.Path, "/.well-known/openid-configuration"):
		reply(w, map[string]any{
			"issuer": authority + "/v2.0", "authorization_endpoint": authority + "/oauth2/v2.0/authorize", "token_endpoint": authority + "/oauth2/v2.0/token",
		})
	default:
		reply(w, map[string]any{"token_type": "Bearer", "expires_in": 3599, "ext_expires_in": 3599, "access_token": s.bearer})
	}
}

// reply writes an object. Who asked may be gone.
func reply(w io.Writer, object map[string]any) { _ = json.NewEncoder(w).Encode(object) }

// tunnel is a proxy on which every host is one address.
type tunnel string

// ServeHTTP implements [http.Handler].
func (to tunnel) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	there, err := (&net.Dialer{}).DialContext(r.Context(), "tcp", string(to))
	if err != nil || r.Method != http.MethodConnect {
		http.Error(w, "there is no way", http.StatusBadGateway)
		return
	}
	defer there.Close()
	here, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer here.Close()
	if _, err := io.WriteString(here, "HTTP/1.1 200 OK\r\n\r\n"); err != nil {
		return
	}
	ended := make(chan struct{}, 2)
	carry := func(to io.Writer, from io.Reader) {
		_, _ = io.Copy(to, from) // it ends with either connection
		ended <- struct{}{}
	}
	go carry(there, here)
	go carry(here, there)
	<-ended
}

// vouched returns a certificate of some hosts, and in PEM who vouches for it.
func vouched(t *testing.T, hosts ...string) (tls.Certificate, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: hosts, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}
