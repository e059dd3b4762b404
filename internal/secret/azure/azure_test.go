package azure_test

import (
	"context"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	azlog "github.com/Azure/azure-sdk-for-go/sdk/azcore/log"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/internal/secret/azure"
	"github.com/neuron7x/mlsdm-integrations/internal/secret/bounded"
	"github.com/neuron7x/mlsdm-integrations/internal/secret/secrettest"
)

// start returns a store over a handler, which gets its tokens from it too.
func start(t *testing.T, h http.Handler) *azure.Store {
	t.Helper()
	return open(t, network(t, h))
}

// open returns a store on a network.
func open(t *testing.T, transport *http.Transport) *azure.Store {
	t.Helper()
	credential, err := azidentity.NewClientSecretCredential(tenant, clientID, clientSecret, &azidentity.ClientSecretCredentialOptions{
		ClientOptions: azcore.ClientOptions{Transport: bounded.Over(transport)},
	})
	require.NoError(t, err)
	s, err := azure.New(azure.Config{VaultURL: vaultURL, Credential: credential, Transport: transport})
	require.NoError(t, err)
	return s
}

// failures are how Key Vault words what it will not do.
func failures() map[secrettest.Condition]secrettest.Failure {
	failure := func(status int, code, inner string) secrettest.Failure {
		return secrettest.Failure{
			Status: status, Body: `{"error":{"code":"` + code + `","message":"{{canary}}","innererror":{"code":"` + inner + `"}}}`,
			Header: map[string]string{"Content-Type": "application/json", "Retry-After": "3600"},
		}
	}
	expired := failure(http.StatusUnauthorized, "Unauthorized", "")
	expired.Header["WWW-Authenticate"] = `Bearer authorization="https://` + loginHost + `/` + tenant + `", resource="https://vault.azure.net", error="invalid_token"`
	return map[secrettest.Condition]secrettest.Failure{
		secrettest.Denied:    failure(http.StatusForbidden, "Forbidden", "ForbiddenByRbac"),
		secrettest.Expired:   expired,
		secrettest.Throttled: failure(http.StatusTooManyRequests, "Throttled", ""),
		secrettest.Broken:    failure(http.StatusInternalServerError, "InternalServerError", ""),
	}
}

// keyName is what Key Vault calls a key of the suite.
func keyName(t *testing.T, key string) string {
	t.Helper()
	name, err := secret.ParseName(key)
	require.NoError(t, err)
	return azure.KeyName(name)
}

func TestContract(t *testing.T) {
	t.Parallel()
	secrettest.Contract{
		Source: "azure",
		Start: func(t *testing.T, p secrettest.Provider) secrettest.Subject {
			t.Helper()
			f := &fake{secrets: map[string][]version{}}
			for key, s := range p.Secrets {
				for _, content := range s.Versions {
					f.put(keyName(t, key), content, map[string]any{"enabled": !s.Gone})
				}
			}
			wire := &secrettest.Wire{
				Condition: p.Condition, Handler: f, Failures: failures(),
				About: func(r *http.Request) bool { return r.Host == vaultHost && r.Header.Get("Authorization") != "" },
			}
			store := start(t, wire)
			if p.Condition == secrettest.Down {
				store = open(t, &http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
					return (&net.Dialer{}).DialContext(ctx, network, "127.0.0.1:1") // where nobody listens
				}})
			}
			return secrettest.Subject{
				Store:   store,
				At:      func(key string) secret.Ref { return secret.Ref{Store: "azure", Path: keyName(t, key)} },
				Version: func(_ string, n int) string { return versionID(n) },
				Rotate:  func(key string, to secrettest.Content) { f.put(keyName(t, key), to, nil) },
				Wire:    wire,
			}
		},
		Lacks: map[secrettest.Row]string{
			secrettest.RowBinary: "Key Vault holds text only", secrettest.RowBinaryText: "Key Vault holds text only",
		},
	}.Run(t)
}

// get asks for one secret.
func get(t *testing.T, s *azure.Store, text string) (secret.Entry, error) {
	t.Helper()
	ref, err := secret.ParseRef(text)
	require.NoError(t, err)
	entry, err := s.Get(t.Context(), ref)
	if err != nil {
		secrettest.RequireQuiet(t, err)
	}
	return entry, err
}

func TestCodes(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		status      int
		code, inner string
		want        error
	}{
		{http.StatusNotFound, "SecretNotFound", "", secret.ErrNotFound},
		{http.StatusNotFound, "", "", secret.ErrUnavailable},
		{http.StatusNotFound, "ResourceNotFound", "", secret.ErrUnavailable},
		{http.StatusForbidden, "Forbidden", "SecretDisabled", secret.ErrGone},
		{http.StatusForbidden, "Forbidden", "ForbiddenByPolicy", secret.ErrDenied},
		{http.StatusForbidden, "Forbidden", "ForbiddenByFirewall", secret.ErrDenied},
		{http.StatusForbidden, secrettest.Canary, secrettest.Canary, secret.ErrDenied},
		{http.StatusUnauthorized, "Unauthorized", "", secret.ErrDenied},
		{http.StatusConflict, "Conflict", "ObjectIsDeletedButRecoverable", secret.ErrGone},
		{http.StatusConflict, "Conflict", "ObjectIsBeingDeleted", secret.ErrGone},
		{http.StatusConflict, "Conflict", "ObjectIsBeingRecovered", secret.ErrUnavailable},
		{http.StatusGone, "", "", secret.ErrGone},
		{http.StatusBadRequest, "BadParameter", "", secret.ErrUnusable},
		{http.StatusTooManyRequests, "Throttled", "", secret.ErrUnavailable},
		{http.StatusServiceUnavailable, "ServiceUnavailable", "", secret.ErrUnavailable},
		{http.StatusTeapot, "", "", secret.ErrUnavailable},
	} {
		f := &fake{}
		s := start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Host != vaultHost || r.Header.Get("Authorization") == "" {
				f.ServeHTTP(w, r)
				return
			}
			refuse(w, test.status, test.code, test.inner)
		}))
		_, err := get(t, s, "azure:key")
		secrettest.RequireKind(t, err, test.want)
		if test.inner != secrettest.Canary {
			require.ErrorContains(t, err, test.inner)
		}
	}
}

func TestDates(t *testing.T) {
	t.Parallel()
	f := &fake{secrets: map[string][]version{}}
	content := secrettest.Content{Text: secrettest.Canary}
	const past, future = 1_000_000_000, 4_000_000_000 // 2001, 2096
	f.put("expired", content, map[string]any{"exp": past})
	f.put("expires", content, map[string]any{"nbf": past, "exp": future})
	f.put("not-yet", content, map[string]any{"nbf": future})
	f.put("for-ever", content, nil)
	s := start(t, f)
	_, err := get(t, s, "azure:expired")
	secrettest.RequireKind(t, err, secret.ErrGone)
	_, err = get(t, s, "azure:not-yet")
	secrettest.RequireKind(t, err, secret.ErrUnusable)
	require.ErrorContains(t, err, "2096-10-02T07:06:40Z")
	entry, err := get(t, s, "azure:expires")
	require.NoError(t, err)
	require.WithinDuration(t, time.Unix(future, 0), entry.ExpiresAt, 0)
	entry, err = get(t, s, "azure:for-ever")
	require.NoError(t, err)
	require.True(t, entry.ExpiresAt.IsZero())
}

// environment sets what the SDK looks for, and takes away what it would find on this machine.
func environment(t *testing.T, theirs map[string]string) {
	t.Helper()
	t.Setenv("AZURE_TENANT_ID", tenant)
	t.Setenv("AZURE_CLIENT_ID", clientID)
	for _, variable := range []string{
		"AZURE_CLIENT_SECRET", "AZURE_FEDERATED_TOKEN_FILE", "AZURE_AUTHORITY_HOST", "AZURE_CLIENT_CERTIFICATE_PATH", "AZURE_USERNAME",
		"AZURE_TOKEN_CREDENTIALS",
	} {
		t.Setenv(variable, theirs[variable])
		if theirs[variable] == "" {
			require.NoError(t, os.Unsetenv(variable)) // t.Setenv puts back what was
		}
	}
}

// Who gives no token refuses, or does not answer.
func TestNoToken(t *testing.T) {
	environment(t, map[string]string{"AZURE_CLIENT_SECRET": clientSecret})
	for name, test := range map[string]struct {
		login http.HandlerFunc
		want  error
	}{
		"a wrong secret":  {noToken(http.StatusUnauthorized, "invalid_client"), secret.ErrDenied},
		"no such client":  {noToken(http.StatusBadRequest, "unauthorized_client"), secret.ErrDenied},
		"throttled":       {noToken(http.StatusTooManyRequests, "temporarily_unavailable"), secret.ErrUnavailable},
		"broken":          {noToken(http.StatusServiceUnavailable, "temporarily_unavailable"), secret.ErrUnavailable},
		"cut off":         {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, secret.ErrUnavailable},
		"no answer of it": {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(secrettest.Canary)) }, secret.ErrUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			asked := 0
			transport := network(t, &fake{login: func(w http.ResponseWriter, r *http.Request) {
				asked++
				test.login(w, r)
			}})
			s, err := azure.New(azure.Config{VaultURL: vaultURL, Transport: transport})
			require.NoError(t, err)
			_, err = get(t, s, "azure:key")
			secrettest.RequireKind(t, err, test.want)
			require.Positive(t, asked)
			require.LessOrEqual(t, asked, 4, "the login and the request, each once more at most")
		})
	}
}

// Who waits for the token that another one is getting does so no longer than he likes.
func TestWaitingForAnothersToken(t *testing.T) {
	environment(t, map[string]string{"AZURE_CLIENT_SECRET": clientSecret})
	asked, release := make(chan struct{}, 10), make(chan struct{})
	f := &fake{secrets: map[string][]version{}, login: func(w http.ResponseWriter, r *http.Request) {
		asked <- struct{}{}
		<-release
		token(w, r)
	}}
	f.put("key", secrettest.Content{Text: "v"}, nil)
	transport := network(t, f)
	let := sync.OnceFunc(func() { close(release) })
	t.Cleanup(let)
	s, err := azure.New(azure.Config{VaultURL: vaultURL, Transport: transport})
	require.NoError(t, err)
	ref := secret.Ref{Store: "azure", Path: "key"}
	first := make(chan error, 1)
	go func() {
		_, err := s.Get(t.Context(), ref)
		first <- err
	}()
	<-asked
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err = s.Get(ctx, ref)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	secrettest.RequireKind(t, err, nil)
	let()
	require.NoError(t, <-first)
}

// A token for Key Vault is given to nobody else, whatever the challenge says.
func TestChallenge(t *testing.T) {
	t.Parallel()
	for name, challenge := range map[string]string{
		"another cloud":     `Bearer authorization="https://` + loginHost + `/` + tenant + `", resource="https://elsewhere.example"`,
		"no resource":       `Bearer authorization="https://` + loginHost + `/` + tenant + `"`,
		"no URL of a login": `Bearer authorization="nowhere", resource="https://vault.azure.net"`,
		"nothing":           `Bearer`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wire := &secrettest.Wire{Handler: &fake{challenge: challenge}}
			s := start(t, wire)
			_, err := get(t, s, "azure:key")
			secrettest.RequireKind(t, err, secret.ErrUnavailable)
			for _, request := range wire.Seen() {
				secrettest.RequireNoCanary(t, request)
			}
		})
	}
}

// The environment says who we are, as it does in production: by a client's secret, and by the token of a workload.
func TestDefaultCredential(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	require.NoError(t, os.WriteFile(file, []byte(federated), 0o600))
	for name, theirs := range map[string]map[string]string{
		"a client's secret": {"AZURE_CLIENT_SECRET": clientSecret},
		"a workload":        {"AZURE_FEDERATED_TOKEN_FILE": file},
	} {
		t.Run(name, func(t *testing.T) {
			environment(t, theirs)
			f := &fake{secrets: map[string][]version{}}
			f.put("key", secrettest.Content{Text: "v"}, nil)
			wire := &secrettest.Wire{Handler: f}
			transport := network(t, wire)
			s, err := azure.New(azure.Config{VaultURL: vaultURL, Transport: transport})
			require.NoError(t, err)
			entry, err := get(t, s, "azure:key")
			require.NoError(t, err)
			require.Equal(t, "v", entry.Value.Reveal())
			secrettest.RequireQuiet(t, s)
			asked := len(wire.Seen())
			_, err = get(t, s, "azure:key")
			require.NoError(t, err)
			require.Len(t, wire.Seen(), asked+1, "one request, when there is a token")
			require.NotContains(t, strings.Join(wire.Seen()[:1], ""), "Bearer", "the first request carries no token")
		})
	}
}

// sdkLog hears all that the SDK says while this package's tests run. The SDK's listener is one for the process and not guarded:
// it is set once, before the first call, as a call may go on beside its caller after the test that made it has ended.
var sdkLog listener //nolint:gochecknoglobals // the SDK's is one too

type listener struct {
	mu    sync.Mutex
	lines []string
}

func (l *listener) hear(event azlog.Event, line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, string(event)+" "+line)
}

// heard returns what was said since the last time it was asked.
func (l *listener) heard() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	lines := l.lines
	l.lines = nil
	return lines
}

func TestMain(m *testing.M) {
	azlog.SetListener(sdkLog.hear)
	m.Run()
}

// What the SDK logs, if it is asked to log all, holds no secret: not the value, and not what says who we are. It repeats what a
// refusal says.
func TestLogs(t *testing.T) {
	environment(t, map[string]string{"AZURE_CLIENT_SECRET": clientSecret})
	sdkLog.heard() // by other tests, whose answers may repeat anything
	for _, login := range []http.HandlerFunc{nil, noToken(http.StatusUnauthorized, "invalid_client")} {
		f := &fake{secrets: map[string][]version{}, login: login}
		f.put("key", secrettest.Content{Text: secrettest.Canary}, nil)
		transport := network(t, f)
		s, err := azure.New(azure.Config{VaultURL: vaultURL, Transport: transport})
		require.NoError(t, err)
		_, err = get(t, s, "azure:key")
		require.Equal(t, login == nil, err == nil)
		_, err = get(t, s, "azure:missing")
		require.Error(t, err)
	}
	lines := sdkLog.heard()
	require.Greater(t, len(lines), 10)
	for _, line := range lines {
		secrettest.RequireNoCanary(t, strings.ReplaceAll(strings.ReplaceAll(line, said, ""), saidOfLogin, ""))
	}
}

func TestSettings(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{
		"", "http://test.vault.azure.net", "https://u:p@test.vault.azure.net", "test.vault.azure.net", "https://test.vault.azure.net/secrets/x",
		"https://test.vault.azure.net?x=1",
	} {
		_, err := azure.New(azure.Config{VaultURL: bad})
		require.Error(t, err, bad)
	}
	require.NoError(t, azure.Config{VaultURL: vaultURL + "/"}.Validate())
}
