package service_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/internal/health"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/internal/secret/seal"
	"github.com/neuron7x/mlsdm-integrations/internal/service"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

const canary = "sk-canary31337"

// vault is who answers for secretd.
type vault struct {
	mu      sync.Mutex
	values  map[string]string
	version int         // of all values
	code    events.Code // of every answer, unless it is empty
	signer  *seal.Signer
}

// openVault starts it on a server, as a unit of its own would be.
func openVault(t *testing.T, server *bustest.Server, values map[string]string) *vault {
	t.Helper()
	signer, err := seal.MakeSigner()
	require.NoError(t, err)
	v := &vault{values: values, signer: signer}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	b := server.Connect(t, "secretd")
	go func() {
		done <- b.Serve(ctx, bus.Service{
			Name: "mlsdm-secretd", Version: "1.0.0", Operations: []bus.Operation{{Name: events.OpSecretsGet, Handler: v.answer}},
		})
	}()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-done)
	})
	return v
}

// set puts a value in the place of another, and returns its version.
func (v *vault) set(name, value string) string {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.values[name] = value
	v.version++
	return strconv.Itoa(v.version)
}

func (v *vault) fail(code events.Code) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.code = code
}

func (v *vault) answer(_ context.Context, r *bus.Request) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	var req events.SecretRequest
	if err := json.Unmarshal(r.Body, &req); err != nil {
		return err
	}
	to, err := seal.Read(req)
	if err != nil {
		return err
	}
	value := v.values[req.Name]
	switch {
	case v.code != "":
		return events.Errorf(v.code, "as told")
	case r.Caller != events.ServiceEmbedder && r.Caller != events.ServiceGenerator:
		return events.Errorf(events.CodePermissionDenied, "%s may not", r.Caller)
	case value == "":
		return events.Errorf(events.CodeNotFound, "there is no %s", req.Name)
	}
	reply, err := v.signer.Seal(r.Caller, req.Name, to, seal.Content{Value: secret.NewValue(value), Source: "vault", Version: strconv.Itoa(v.version)})
	if err != nil {
		return err
	}
	body, err := json.Marshal(reply)
	if err != nil {
		return err
	}
	return r.Respond(body)
}

// rotate puts another value in the place of one and says so.
func (v *vault) rotate(t *testing.T, b *bus.Bus, name, value string) {
	t.Helper()
	event, err := events.New("/mlsdm/secretd", events.SecretRotated{Name: name, Store: "vault", Version: v.set(name, value)})
	require.NoError(t, err)
	subject, header, body, err := event.Message(b.Subjects())
	require.NoError(t, err)
	_, err = b.Publish(t.Context(), bus.Msg{Subject: subject, Header: header, Body: body})
	require.NoError(t, err)
}

// becomes waits until something is so.
func becomes(t *testing.T, what string, so func() bool) {
	t.Helper()
	require.Eventually(t, so, patience, 10*time.Millisecond, what)
}

// A process whose key is a reference waits until secretd gives it, works with it, and has the next one when that is there.
func TestExecuteWithReference(t *testing.T) {
	t.Parallel()
	server := bustest.Start(t)
	e := newExample()
	close(e.finish)
	p := execute(t, e.unit(), "--nats-url="+server.URL(), "--example-key=secret:example", "--secret-refresh=1h")
	addr := p.addr()
	line := p.line("waiting for secrets that settings refer to")
	require.Contains(t, line["err"], "example-key (secret:example): ")
	require.Contains(t, line["err"], "is the service running?")
	r := report(t, addr)
	require.Equal(t, health.StatusNotReady, r.Status)
	require.Contains(t, r.Checks["secrets"].Message, "example-key (secret:example)")
	require.Nil(t, e.deps.Bus, "it is not made before it has its secrets")

	v := openVault(t, server, map[string]string{})
	require.Contains(t, p.line("waiting for secrets that settings refer to")["err"], "there is no example")
	v.fail(events.CodePermissionDenied)
	require.Contains(t, p.line("waiting for secrets that settings refer to")["err"], "as told")
	v.fail("")
	v.set("example", canary)
	p.line("every secret that was missing is there")
	await(t, "Run", e.running)
	require.Equal(t, canary, e.cfg.Key.Reveal())
	require.True(t, e.cfg.Key.IsLive())
	require.Equal(t, health.StatusReady, report(t, addr).Status)

	b := server.Connect(t, "secretd")
	v.rotate(t, b, "example", canary+"-2")
	becomes(t, "the new key is in use", func() bool { return e.cfg.Key.Reveal() == canary+"-2" })

	v.set("example", canary+"-3")
	text, changed := e.cfg.Key.Renew(t.Context(), canary+"-2")
	require.True(t, changed)
	require.Equal(t, canary+"-3", text)

	v.fail(events.CodeUnavailable)
	v.rotate(t, b, "example", canary+"-4")
	becomes(t, "it is degraded", func() bool { return report(t, addr).Status == health.StatusDegraded })
	require.Contains(t, report(t, addr).Checks["secrets"].Message, "used as it was last known")
	require.Equal(t, canary+"-3", e.cfg.Key.Reveal())

	v.fail(events.CodePermissionDenied)
	becomes(t, "it is taken away", func() bool { return e.cfg.Key.IsPending() })
	require.Contains(t, report(t, addr).Checks["secrets"].Message, "missing: example-key")
	require.Equal(t, health.StatusDegraded, report(t, addr).Status, "what does not need it goes on")

	p.cancel()
	require.Zero(t, p.exit())
	for line := range p.lines {
		text, err := json.Marshal(line)
		require.NoError(t, err)
		require.NotContains(t, string(text), "canary")
	}
}

func TestExecuteStopsWhileItWaitsForSecrets(t *testing.T) {
	t.Parallel()
	e := newExample()
	p := execute(t, e.unit(), "--nats-url="+bustest.Start(t).URL(), "--example-key=vault:mlsdm/example#key")
	p.line("waiting for secrets that settings refer to")
	p.cancel()
	require.Zero(t, p.exit())
	require.Nil(t, e.deps.Bus)
}

// A file may come later than the service, and change.
func TestExecuteWithFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "key")
	e := newExample()
	close(e.finish)
	p := execute(t, e.unit(), "--nats-url="+bustest.Start(t).URL(), "--example-key=file:"+path)
	require.Contains(t, p.line("waiting for secrets that settings refer to")["err"], path)
	require.NoError(t, os.WriteFile(path, []byte("one\n"), 0o600))
	await(t, "Run", e.running)
	require.Equal(t, "one", e.cfg.Key.Reveal())
	require.NoError(t, os.WriteFile(path, []byte("two\n"), 0o600))
	becomes(t, "the new content is in use", func() bool { return e.cfg.Key.Reveal() == "two" })
}

func TestExecuteWithWrongReference(t *testing.T) {
	t.Parallel()
	code, _, stderr := run(t, "--example-key=vault:../"+canary)
	require.Equal(t, 2, code)
	require.Contains(t, stderr, "example-key")
	require.NotContains(t, stderr, canary)
	code, _, _ = run(t, "--check-config", "--example-key=vault:../"+canary)
	require.Equal(t, 1, code)
	code, stdout, _ := run(t, "--check-config", "--example-key=secret:example")
	require.Zero(t, code)
	require.Contains(t, stdout, "valid")
	code, _, stderr = run(t, "--secret-refresh=1ms")
	require.Equal(t, 2, code)
	require.Contains(t, stderr, "secret-refresh")
}

// fixedConfig has a setting that is read once.
type fixedConfig struct {
	Keys []secret.Value `name:"seal-keys" env:"SEAL_KEYS" refs:"fixed" help:"Some keys."`
}

// Two services in one process, of which the first cannot start without the second: neither waits for the order of their starts.
func TestInstancesThatNeedEachOther(t *testing.T) {
	t.Parallel()
	server := bustest.Start(t)
	var built fixedConfig
	running := make(chan struct{})
	first := service.Define(events.ServiceGenerator, "Needs secrets.", func(c fixedConfig, _ service.Deps) (idle, error) {
		built = c
		close(running)
		return idle{}, nil
	})
	instance, err := first.Load(service.Source{Lookup: func(name string) (string, bool) {
		return map[string]string{"SEAL_KEYS": "plain,secret:seal,env:SEAL_KEY", "SEAL_KEY": "from the environment"}[name], true
	}})
	require.NoError(t, err)
	keeper := service.Define(events.ServiceSecretd, "Has secrets.", func(c fixedConfig, _ service.Deps) (idle, error) {
		return idle{}, nil
	})
	_, err = keeper.Load(service.Source{Lookup: func(name string) (string, bool) {
		return map[string]string{"SEAL_KEYS": "secret:own"}[name], true
	}})
	require.ErrorContains(t, err, "only env:VARIABLE and file:/path", "who has the secrets cannot ask himself")

	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	checks := health.NewChecks()
	log := &lockedLog{}
	go func() {
		done <- instance.Run(ctx, service.Deps{Bus: server.Connect(t, "up"), Health: checks, Logger: log.logger()})
	}()
	becomes(t, "it waits", func() bool { return checks.Run(t.Context()).Checks["secrets"].Status == health.StatusFailed })
	v := openVault(t, server, map[string]string{"seal": "first"})
	await(t, "New", running)
	texts := make([]string, len(built.Keys))
	for i, key := range built.Keys {
		texts[i] = key.Reveal()
	}
	require.Equal(t, []string{"plain", "first", "from the environment"}, texts)

	v.rotate(t, server.Connect(t, "secretd"), "seal", "second")
	becomes(t, "it says so", func() bool { return log.contains("which takes effect with the next start") })
	require.Equal(t, "first", built.Keys[1].Reveal(), "what was read once does not change under its reader")
	cancel()
	require.NoError(t, <-done)
}
