package vault_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/internal/secret/secrettest"
	"github.com/neuron7x/mlsdm-integrations/internal/secret/vault"
)

func TestFields(t *testing.T) {
	t.Parallel()
	f := newFake()
	f.put("value", map[string]any{"value": "v", "user": "u"})
	f.put("only", map[string]any{"api_key": "k"})
	f.put("several", map[string]any{"user": "u", "password": secrettest.Canary})
	f.put("number", map[string]any{"value": 7})
	f.put("none", map[string]any{})
	f.put("ours", map[string]any{"value": root})
	s := open(t, config(t, f))
	require.Equal(t, "1", has(t, s, "vault:value", "v").Version)
	has(t, s, "vault:value#user", "u")
	has(t, s, "vault:only", "k")
	has(t, s, "vault:only#api_key", "k")
	lacks(t, s, "vault:several", secret.ErrUnusable)
	lacks(t, s, "vault:several#missing", secret.ErrUnusable)
	lacks(t, s, "vault:number", secret.ErrUnusable)
	lacks(t, s, "vault:none", secret.ErrNotFound)
	lacks(t, s, "vault:ours", secret.ErrDenied)
}

func TestVersions(t *testing.T) {
	t.Parallel()
	f := newFake()
	for _, text := range []string{"1st", "2nd"} {
		f.put("kept", map[string]any{"value": text})
		f.put("gone", map[string]any{"value": text})
	}
	f.put("gone", nil)
	s := open(t, config(t, f))
	for ref, want := range map[string]string{"vault:kept@1": "1st", "vault:kept@2": "2nd", "vault:kept": "2nd", "vault:gone@2": "2nd", "vault:/kv/app/data/kept@1": "1st"} {
		has(t, s, ref, want)
	}
	lacks(t, s, "vault:gone", secret.ErrGone)
	lacks(t, s, "vault:gone@3", secret.ErrGone)
	lacks(t, s, "vault:/kv/app/data/gone", secret.ErrGone)
	lacks(t, s, "vault:/kv/app/data/gone@3", secret.ErrGone)
	for _, ref := range []string{"vault:kept@3", "vault:/kv/app/data/kept@3", "vault:absent@1", "vault:/kv/app/data/absent"} {
		lacks(t, s, ref, secret.ErrNotFound)
	}
	asked := len(f.asked)
	for _, ref := range []string{"vault:kept@0", "vault:kept@v1", "vault:kept@01", "vault:kept@-1", "vault:kept@99999999999", "vault:/database/creds/app@1"} {
		lacks(t, s, ref, secret.ErrUnusable)
	}
	require.Len(t, f.asked, asked, "nobody was asked")

	f = newFake()
	f.kv = 1
	f.put("kept", map[string]any{"value": "1st"})
	cfg := config(t, f)
	cfg.KVVersion = 1
	s = open(t, cfg)
	require.Empty(t, has(t, s, "vault:kept", "1st").Version)
	lacks(t, s, "vault:kept@1", secret.ErrUnusable)
}

// Which version of KV it is, Vault is asked once, and again when it says that there is another one now.
func TestVersionOfKV(t *testing.T) {
	t.Parallel()
	f := newFake()
	f.kv = 1
	f.put("a", map[string]any{"value": "v"})
	cfg := config(t, f)
	cfg.KVVersion = 0
	s := open(t, cfg)
	has(t, s, "vault:a", "v")
	has(t, s, "vault:a", "v")
	require.Equal(t, 1, f.count("GET sys/internal/ui/mounts/kv/app"))
	f.kv = 2
	lacks(t, s, "vault:a", secret.ErrUnavailable)
	require.Equal(t, "1", has(t, s, "vault:a", "v").Version)

	f.failing(func(_, path string) int {
		if strings.HasPrefix(path, "sys/internal") {
			return http.StatusForbidden
		}
		return 0
	})
	s = open(t, cfg)
	lacks(t, s, "vault:a", secret.ErrDenied)
	f.failing(nil)
	has(t, s, "vault:a", "v")
}

func TestAnywhere(t *testing.T) {
	t.Parallel()
	f := newFake()
	f.put("a", map[string]any{"value": "v2"})
	s := open(t, config(t, f))
	require.Equal(t, "1", has(t, s, "vault:/kv/app/data/a", "v2").Version)
	asked := len(f.asked)
	for _, ref := range []string{
		"vault:/auth/token/lookup-self#id", "vault:/sys/mounts", "vault:/sys",
		"vault:/team/auth/token/lookup-self#id", "vault:/team/below/auth/token/lookup-self#id", "vault:/team/sys/mounts", // of namespaces
	} {
		lacks(t, s, ref, secret.ErrDenied)
	}
	require.Len(t, f.asked, asked, "nobody was asked")
	f.failing(func(string, string) int { return http.StatusMethodNotAllowed })
	lacks(t, s, "vault:/pki/issue/app#private_key", secret.ErrUnusable)

	f = newFake()
	f.kv = 1
	f.put("a", map[string]any{"value": "v1"})
	s = open(t, config(t, f))
	entry := has(t, s, "vault:/kv/app/a", "v1")
	require.Empty(t, entry.Version)
	require.True(t, entry.ExpiresAt.IsZero(), "KV lends nothing")
	lacks(t, s, "vault:/kv/app/b", secret.ErrNotFound)
	lacks(t, s, "vault:/elsewhere/b", secret.ErrNotFound)
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	value := `{"request_id":"1","data":{"data":{"value":"` + secrettest.Canary + `"},"metadata":{"version":1,"created_time":"2026-01-31T12:00:00Z"}}}`
	for name, test := range map[string]struct {
		status int
		body   string
		want   error
	}{
		"standby":               {http.StatusTooManyRequests, `{"errors":[]}`, secret.ErrUnavailable},
		"a standby of another":  {472, `{"errors":[]}`, secret.ErrUnavailable},
		"not initialised":       {http.StatusNotImplemented, `{"errors":[]}`, secret.ErrUnavailable},
		"being upgraded":        {http.StatusBadRequest, `{"errors":["Upgrading from non-versioned to versioned data"]}`, secret.ErrUnavailable},
		"a proxy":               {http.StatusBadGateway, "<html>" + secrettest.Canary, secret.ErrUnavailable},
		"a proxy's 404":         {http.StatusNotFound, "<html>" + secrettest.Canary, secret.ErrUnavailable},
		"a gateway's 404":       {http.StatusNotFound, `{"message":"no route ` + secrettest.Canary + `"}`, secret.ErrUnavailable},
		"an empty 404":          {http.StatusNotFound, "", secret.ErrUnavailable},
		"Vault's 404":           {http.StatusNotFound, `{"errors":[]}`, secret.ErrNotFound},
		"a proxy's 403":         {http.StatusForbidden, "<html>" + secrettest.Canary, secret.ErrDenied},
		"unauthorized":          {http.StatusUnauthorized, `{"errors":["` + root + `"]}`, secret.ErrDenied},
		"version 1":             {http.StatusOK, `{"data":{"value":"` + secrettest.Canary + `"}}`, secret.ErrUnavailable},
		"no JSON":               {http.StatusOK, secrettest.Canary, secret.ErrUnavailable},
		"no data":               {http.StatusOK, `{"request_id":"1"}`, secret.ErrUnavailable},
		"nothing":               {http.StatusOK, "", secret.ErrUnavailable},
		"data of another type":  {http.StatusOK, `{"data":{"data":"` + secrettest.Canary + `","metadata":{"version":1}}}`, secret.ErrUnavailable},
		"two answers":           {http.StatusOK, value + value, secret.ErrUnavailable},
		"one name twice":        {http.StatusOK, strings.Replace(value, `{"value"`, `{"value":"x","value"`, 1), secret.ErrUnavailable},
		"no UTF-8":              {http.StatusOK, strings.Replace(value, `"value":"`, "\"value\":\"\xff", 1), secret.ErrUnavailable},
		"half a surrogate":      {http.StatusOK, strings.Replace(value, `"value":"`, `"value":"\ud83d`, 1), secret.ErrUnavailable},
		"deep":                  {http.StatusOK, strings.Repeat(`{"data":`, 1<<15), secret.ErrUnavailable},
		"no version":            {http.StatusOK, strings.Replace(value, `"version":1`, `"version":null`, 1), secret.ErrUnavailable},
		"another version":       {http.StatusOK, strings.Replace(value, `"version":1`, `"version":8`, 1), secret.ErrUnavailable},
		"a huge header, no end": {http.StatusSwitchingProtocols, "", secret.ErrUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if strings.HasPrefix(r.URL.Path, "/v1/auth") {
					_ = json.NewEncoder(w).Encode(map[string]any{"data": map[string]any{"ttl": 0}})
					return
				}
				if test.status == http.StatusSwitchingProtocols {
					w.Header().Set("X-"+secrettest.Canary, strings.Repeat("x", 128<<10))
					w.WriteHeader(http.StatusOK)
					return
				}
				w.WriteHeader(test.status)
				_, _ = io.WriteString(w, test.body)
			}))
			t.Cleanup(server.Close)
			s := open(t, vault.Config{Addr: server.URL, Token: secret.NewValue(root), Mount: "kv/app", KVVersion: 2, Log: logger(t)})
			lacks(t, s, "vault:key@1", test.want)
		})
	}
}
