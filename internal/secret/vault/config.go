package vault

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"path"
	"strings"

	"go.opentelemetry.io/otel/trace"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
)

// Ways to log in.
const (
	AuthToken      = "token"
	AuthAppRole    = "approle"
	AuthKubernetes = "kubernetes"
	AuthJWT        = "jwt"
)

// ServiceAccountToken is where Kubernetes mounts the token of a pod's service account.
const ServiceAccountToken = "/var/run/secrets/kubernetes.io/serviceaccount/token" //nolint:gosec // where a credential is, not one

// Config says where Vault is and who we are to it. What else Vault's client reads from the environment holds too: VAULT_CACERT,
// VAULT_CACERT_BYTES, VAULT_CAPATH, VAULT_CLIENT_CERT, VAULT_CLIENT_KEY, VAULT_TLS_SERVER_NAME, VAULT_SKIP_VERIFY,
// VAULT_PROXY_ADDR, VAULT_HEADERS, VAULT_RATE_LIMIT and VAULT_SRV_LOOKUP.
type Config struct {
	// Addr is an http or https URL (VAULT_ADDR).
	Addr string
	// Namespace is one of Vault Enterprise or OpenBao, empty for the root (VAULT_NAMESPACE).
	Namespace string
	// Mount is the KV engine in which paths without a slash at their start are (SECRETD_VAULT_MOUNT).
	Mount string
	// KVVersion is the version of that engine, 1 or 2; 0 asks Vault (SECRETD_VAULT_KV).
	KVVersion int

	// Auth is one of the ways above; empty is AuthToken (SECRETD_VAULT_AUTH).
	Auth string
	// AuthMount is where the method is mounted below auth/; empty is the method's name (SECRETD_VAULT_AUTH_MOUNT).
	AuthMount string
	// Token is for AuthToken (VAULT_TOKEN), or else TokenFile, which is read anew when the token is refused: such as the sink of
	// a Vault agent (VAULT_TOKEN_FILE).
	Token     secret.Value
	TokenFile string
	// Role is for AuthKubernetes, and for AuthJWT unless its mount has a default (SECRETD_VAULT_ROLE).
	Role string
	// RoleID or RoleIDFile is for AuthAppRole (SECRETD_VAULT_ROLE_ID, SECRETD_VAULT_ROLE_ID_FILE).
	RoleID     string
	RoleIDFile string
	// SecretID or SecretIDFile is for AuthAppRole, unless its role binds no secret id (SECRETD_VAULT_SECRET_ID,
	// SECRETD_VAULT_SECRET_ID_FILE).
	SecretID     secret.Value
	SecretIDFile string
	// SecretIDWrapped says that what those hold is a wrapping token, which gives the secret id once
	// (SECRETD_VAULT_SECRET_ID_WRAPPED).
	SecretIDWrapped bool
	// JWTFile holds the token for AuthKubernetes and AuthJWT, and is read at each login. Empty is ServiceAccountToken for
	// AuthKubernetes (SECRETD_VAULT_JWT_FILE).
	JWTFile string

	// Log is told of logins, and of leases and tokens that could not be renewed; nil is nobody. No value is ever logged.
	Log *slog.Logger
	// Tracer makes spans of the requests, which name no secret; nil makes none.
	Tracer trace.TracerProvider
	// Transport replaces what reaches Vault, for tests.
	Transport http.RoundTripper
}

// withDefaults fills in what is empty and has a default.
func (c Config) withDefaults() Config {
	if c.Auth == "" {
		c.Auth = AuthToken
	}
	if c.AuthMount == "" {
		c.AuthMount = c.Auth
	}
	if c.JWTFile == "" && c.Auth == AuthKubernetes {
		c.JWTFile = ServiceAccountToken
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

// Validate checks the address, the mounts, the version and that the way to log in has what it needs. Its error names all that
// is wrong, and repeats no credentials.
func (c Config) Validate() error {
	c = c.withDefaults()
	var errs []error
	if u, err := url.Parse(c.Addr); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil ||
		u.RawQuery != "" || u.Fragment != "" {
		errs = append(errs, errors.New("the address is no http or https URL without a user, such as https://vault:8200"))
	}
	if !plain(c.Mount) {
		errs = append(errs, fmt.Errorf("the mount %q is no plain path, like secret", c.Mount))
	}
	if !plain(c.AuthMount) {
		errs = append(errs, fmt.Errorf("the mount %q of the way to log in is no plain path, like approle", c.AuthMount))
	}
	if c.Namespace != "" && !plain(strings.TrimSuffix(c.Namespace, "/")) {
		errs = append(errs, fmt.Errorf("the namespace %q is no plain path, like team/app", c.Namespace))
	}
	if c.KVVersion < 0 || c.KVVersion > 2 {
		errs = append(errs, fmt.Errorf("the version of the KV engine is %d; it must be 1 or 2, or 0 to ask Vault", c.KVVersion))
	}
	return errors.Join(append(errs, c.checkAuth())...)
}

// checkAuth checks that the way to log in has what it needs.
func (c Config) checkAuth() error {
	switch c.Auth {
	case AuthToken:
		return one("token", !c.Token.IsZero(), c.TokenFile != "", true)
	case AuthAppRole:
		err := errors.Join(one("role id", c.RoleID != "", c.RoleIDFile != "", true),
			one("secret id", !c.SecretID.IsZero(), c.SecretIDFile != "", false))
		if c.SecretIDWrapped && c.SecretID.IsZero() && c.SecretIDFile == "" {
			err = errors.Join(err, errors.New("the secret id is said to be wrapped, and there is none"))
		}
		return err
	case AuthKubernetes:
		if c.Role == "" {
			return errors.New("logging in by kubernetes needs a role")
		}
	case AuthJWT:
		if c.JWTFile == "" {
			return errors.New("logging in by jwt needs the file that holds the token")
		}
	default:
		return fmt.Errorf("%q is no way to log in; there are token, approle, kubernetes and jwt", c.Auth)
	}
	return nil
}

// one checks that a credential is given one way, directly or as a file.
func one(what string, direct, file, needed bool) error {
	switch {
	case direct && file:
		return fmt.Errorf("the %s is given twice, directly and as a file", what)
	case needed && !direct && !file:
		return fmt.Errorf("there is no %s", what)
	}
	return nil
}

// plain reports whether a path leads where it seems to, below where it is put.
func plain(p string) bool {
	return p != "" && p == path.Clean("/" + p)[1:] && !strings.ContainsFunc(p, func(c rune) bool {
		return c <= ' ' || c >= 0x7f || strings.ContainsRune(`?#%\`, c)
	})
}
