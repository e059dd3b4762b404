package canary_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/pkg/client"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/test/process"
)

// asked is how often a secret is asked for.
const asked = 1000

// programs are the commands under test.
//
//nolint:gochecknoglobals // built once for all tests, and removed after the last of them
var programs = process.NewPrograms("./services/secretd/cmd/secretd", "./services/embedder/cmd/embedder",
	"./services/generator/cmd/generator", "./services/dispatcher/cmd/dispatcher", "./services/ciwatch/cmd/ciwatch", "./test/canary/panics")

func TestMain(m *testing.M) {
	defer programs.Remove()
	m.Run()
}

// TestASecretIsSeenNowhere uses secrets as they are used, on a bus where everybody may listen, and looks for them afterwards.
func TestASecretIsSeenNowhere(t *testing.T) {
	t.Parallel()
	srv := bustest.Start(t)
	heard := listen(t, srv.URL())
	mounted, inEnvironment, rotated, control := newCanary(), newCanary(), newCanary(), newCanary()
	provider := newProvider(t)
	dir := t.TempDir()
	write(t, dir, "mounted", mounted+"\n")
	rules := write(t, dir, "rules.yaml", strings.ReplaceAll(`
secrets:
  mounted: ["file:DIR/mounted"]
  environment: [env:OF_THE_ENVIRONMENT]
  missing: [env:NOT_SET, "file:DIR/missing"]
policy:
  reader: {get: ["*"], list: ["*"], refresh: ["*"]}
  embedder: [mounted, environment]
`, "DIR", dir))
	secretdEnv := map[string]string{
		"NATS_URL": srv.URL(), "MLSDM_ADMIN_ADDR": process.FreeAddr(t), "MLSDM_LOG_LEVEL": "debug", "GOTRACEBACK": "all",
		"SECRETD_CONFIG": rules, "SECRETD_FILE_ROOTS": dir, "OF_THE_ENVIRONMENT": inEnvironment, "CONTROL": control,
	}
	embedderEnv := map[string]string{
		"NATS_URL": srv.URL(), "MLSDM_ADMIN_ADDR": process.FreeAddr(t), "MLSDM_LOG_LEVEL": "debug", "GOTRACEBACK": "all",
		"OPENAI_API_KEY": "secret:mounted", "COHERE_API_KEY": inEnvironment,
		"OPENAI_BASE_URL": provider.url, "COHERE_BASE_URL": provider.url,
	}
	secretd := process.Start(t, programs.Path(t, "secretd"), "", secretdEnv)
	awaitReady(t, secretdEnv["MLSDM_ADMIN_ADDR"])
	embedder := process.Start(t, programs.Path(t, "embedder"), "", embedderEnv)
	awaitReady(t, embedderEnv["MLSDM_ADMIN_ADDR"])
	seen := map[string][]byte{}
	u := user{t: t, url: srv.URL(), seen: seen}

	u.readAll(mounted, inEnvironment)
	u.embed()
	require.Contains(t, provider.keys(), "Bearer "+mounted, "the secret is used")
	requireWiped(t, secretd, mounted, control)

	write(t, dir, "mounted", rotated)
	u.rotate(rotated)
	u.embed()
	requireWiped(t, secretd, rotated, control)

	for name, env := range map[string]map[string]string{"secretd": secretdEnv, "embedder": embedderEnv} {
		for _, path := range []string{"metrics", "livez", "readyz", "version"} {
			seen["/"+path+" of "+name] = fetch(t, env["MLSDM_ADMIN_ADDR"], path)
		}
		printed := process.Start(t, programs.Path(t, name), "", env, "--print-config")
		require.Zero(t, printed.Exit())
		seen["the configuration of "+name] = []byte(printed.Out.String() + printed.Errs.String())
		seen["NATS micro of "+name] = u.micro(name)
	}
	for name, p := range map[string]*process.Process{"secretd": secretd, "embedder": embedder} {
		require.NoError(t, syscall.Kill(p.PID(), syscall.SIGQUIT)) // which prints the stacks of all goroutines
		require.NotZero(t, p.Exit())
		require.Contains(t, p.Errs.String(), "goroutine 1 ")
		seen["the log of "+name] = []byte(p.Out.String() + p.Errs.String())
	}
	seen["the bus"] = heard()
	require.GreaterOrEqual(t, bytes.Count(seen["the bus"], []byte(`"sealed"`)), asked, "the replies were heard")
	for where, text := range seen {
		require.NotEmpty(t, text, where)
	}
	for _, canary := range []string{mounted, inEnvironment, rotated} {
		requireNowhere(t, canary, seen)
	}
}

// user asks for things, and keeps what it is told.
type user struct {
	t    *testing.T
	url  string
	seen map[string][]byte
}

// as connects a caller.
func (u user) as(caller string) *client.Client {
	u.t.Helper()
	c, err := client.Connect(within(u.t), u.url, client.Caller(caller))
	require.NoError(u.t, err)
	u.t.Cleanup(c.Close)
	return c
}

// told keeps an error that is expected.
func (u user) told(where string, code events.Code, err error) {
	u.t.Helper()
	require.Equal(u.t, code, events.CodeOf(err), "%v", err)
	u.seen["an error, "+where] = fmt.Appendf(nil, "%v %+v %#v", err, err, events.AsError(err))
}

// readAll reads the secrets in every way.
func (u user) readAll(mounted, inEnvironment string) {
	u.t.Helper()
	reader := u.as("reader")
	for i := range asked {
		var options []client.SecretOption
		if i%4 == 3 {
			options = append(options, client.Hybrid())
		}
		value, err := reader.Secret(within(u.t), "mounted", options...)
		require.NoError(u.t, err)
		require.Equal(u.t, mounted, value.Reveal())
	}
	value, err := reader.Secret(within(u.t), "environment", client.NoCache())
	require.NoError(u.t, err)
	require.Equal(u.t, inEnvironment, value.Reveal())
	_, err = u.as("stranger").Secret(within(u.t), "mounted")
	u.told("to who may not", events.CodePermissionDenied, err)
	_, err = reader.Secret(within(u.t), "missing")
	u.told("of what is not there", events.CodeNotFound, err)
	_, err = reader.Secret(within(u.t), "../mounted")
	u.told("of no name", events.CodeInvalidArgument, err)
	list, err := reader.ListSecrets(within(u.t), 0, "")
	require.NoError(u.t, err)
	require.Len(u.t, list.Secrets, 3)
	u.seen["the list"] = fmt.Appendf(nil, "%+v", list)
}

// rotate has secretd see that a secret is another one.
func (u user) rotate(to string) {
	u.t.Helper()
	reader := u.as("reader")
	refreshed, err := reader.RefreshSecret(within(u.t), "mounted")
	require.NoError(u.t, err)
	u.seen["what is said of a refresh"] = fmt.Appendf(nil, "%+v", refreshed)
	value, err := reader.Secret(within(u.t), "mounted")
	require.NoError(u.t, err)
	require.Equal(u.t, to, value.Reveal())
}

// embed has the embedder use its keys, also with a provider that repeats them.
func (u user) embed() {
	u.t.Helper()
	c := u.as("reader")
	for _, model := range []string{"openai/good", "cohere/good"} {
		_, err := c.Embed(within(u.t), events.EmbeddingsRequest{Model: model, Input: events.TextInput{"hello"}})
		require.NoError(u.t, err)
	}
	for _, model := range []string{"openai/echo", "cohere/echo", "openai/redirect"} {
		_, err := c.Embed(within(u.t), events.EmbeddingsRequest{Model: model, Input: events.TextInput{"hello"}})
		require.Error(u.t, err)
		u.told("of "+model, events.CodeOf(err), err)
	}
}

// micro returns what a service says of itself.
func (u user) micro(name string) []byte {
	u.t.Helper()
	nc, err := nats.Connect(u.url)
	require.NoError(u.t, err)
	defer nc.Close()
	var all bytes.Buffer
	for _, what := range []string{"PING", "INFO", "STATS"} {
		reply, err := nc.Request("$SRV."+what+".mlsdm-"+name, nil, process.Patience)
		require.NoError(u.t, err)
		fmt.Fprintln(&all, reply.Header, string(reply.Data))
	}
	return all.Bytes()
}

// listen hears everything; what it returns ends that, and returns what was heard.
func listen(t *testing.T, url string) func() []byte {
	t.Helper()
	nc, err := nats.Connect(url)
	require.NoError(t, err)
	t.Cleanup(nc.Close)
	sub, err := nc.SubscribeSync(">")
	require.NoError(t, err)
	require.NoError(t, sub.SetPendingLimits(-1, -1))
	require.NoError(t, nc.Flush())
	return func() []byte {
		require.NoError(t, nc.FlushTimeout(process.Patience))
		pending, _, err := sub.Pending()
		require.NoError(t, err)
		var all bytes.Buffer
		for range pending {
			msg, err := sub.NextMsg(process.Patience)
			require.NoError(t, err)
			fmt.Fprintln(&all, msg.Subject, msg.Header, string(msg.Data))
		}
		return all.Bytes()
	}
}

// provider is one of models that tells all that it knows.
type provider struct {
	url  string
	seen atomic.Pointer[map[string]bool]
}

func newProvider(t *testing.T) *provider {
	t.Helper()
	p := &provider{}
	p.seen.Store(&map[string]bool{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var req struct {
			Model string `json:"model"`
		}
		_ = json.NewDecoder(r.Body).Decode(&req)
		key := r.Header.Get("Authorization")
		for {
			old := p.seen.Load()
			all := map[string]bool{key: true}
			for k := range *old {
				all[k] = true
			}
			if p.seen.CompareAndSwap(old, &all) {
				break
			}
		}
		w.Header().Set("Content-Type", "application/json")
		switch req.Model {
		case "echo":
			w.Header().Set("X-Request-Id", key)
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprintf(w, `{"error":{"message":"Incorrect API key provided: %s","code":"%s"}}`, strings.TrimPrefix(key, "Bearer "), key)
		case "redirect":
			http.Redirect(w, r, "/elsewhere?key="+key, http.StatusTemporaryRedirect)
		default:
			fmt.Fprint(w, `{"object":"list","model":"m","data":[{"object":"embedding","index":0,"embedding":[0.6,0.8]}],"usage":{"prompt_tokens":1,"total_tokens":1},`+
				`"embeddings":{"float":[[0.6,0.8]]}}`) // as OpenAI says it, and as Cohere does
		}
	}))
	t.Cleanup(server.Close)
	p.url = server.URL
	return p
}

// keys are those that it was shown.
func (p *provider) keys() map[string]bool { return *p.seen.Load() }

// write writes a file as secrets are mounted: the new one takes the place of the old.
func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	require.NoError(t, os.WriteFile(path+".new", []byte(text), 0o600))
	require.NoError(t, os.Rename(path+".new", path))
	return path
}

// awaitReady waits until a process is.
func awaitReady(t *testing.T, addr string) {
	t.Helper()
	require.Eventually(t, func() bool {
		resp, err := get(t, addr, "readyz")
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	}, process.Patience, 20*time.Millisecond, "%s is not ready", addr)
}

// fetch returns an answer of an admin listener.
func fetch(t *testing.T, addr, path string) []byte {
	t.Helper()
	resp, err := get(t, addr, path)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return fmt.Appendln(body, resp.Status, resp.Header)
}

func get(t *testing.T, addr, path string) (*http.Response, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(within(t), http.MethodGet, "http://"+addr+"/"+path, http.NoBody)
	if err != nil {
		return nil, err
	}
	return http.DefaultClient.Do(req)
}

// within is the test's context with a bound.
func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), process.Patience)
	t.Cleanup(cancel)
	return ctx
}
