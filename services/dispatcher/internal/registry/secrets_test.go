package registry_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/keyring"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/registry"
)

func TestARotatedSecretTakesEffectByItself(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	for name, value := range map[string]string{
		"webhook.url": "https://one.example/" + canary, "webhook.header": "one " + canary, "webhook.key": "one " + canary, "webhook.same": canary,
	} {
		s.store.set(name, value)
	}
	r := s.start(t)
	wanted := spec("orders")
	wanted.URL, wanted.Headers = "secret:webhook.url", map[string]string{"X-A": "secret:webhook.header"}
	wanted.Signing = []events.EndpointSigning{{Key: "secret:webhook.key"}}
	changed, _ := r.create(t, wanted)
	harmless(t, changed)
	require.Equal(t, "secret:webhook.url", changed.Endpoint.URL)
	other := spec("other")
	other.Signing = []events.EndpointSigning{{Key: "secret:webhook.same"}}
	r.create(t, other)
	untouched, _ := r.Set().Get("other")

	s.store.set("webhook.url", "https://two.example/"+canary)
	s.store.set("webhook.header", "two "+canary)
	s.store.set("webhook.key", "two "+canary)
	eventually(t, func() bool {
		e, _ := r.Set().Get("orders")
		return e.URL().Host == "two.example" && e.Header().Get("X-A") == "two "+canary && verifies(t, signed(t, r, "orders", time.Now()), "two "+canary)
	}, "the new values are used")
	require.False(t, verifies(t, signed(t, r, "orders", time.Now()), "one "+canary))
	same, _ := r.Set().Get("other")
	require.Same(t, untouched, same, "what did not change is not compiled again")

	// A value that cannot be used, and one that is gone, are said, and mended by the next good one.
	for _, bad := range []string{"https://169.254.169.254/" + canary, ""} {
		s.store.set("webhook.url", bad)
		eventually(t, func() bool { e, _ := r.Set().Get("orders"); return e.Broken() != nil }, "the bad value is noticed")
		e, _ := r.Set().Get("orders")
		require.NotContains(t, events.AsError(e.Broken()).Message, canary)
		s.store.set("webhook.url", "https://three.example/"+canary)
		eventually(t, func() bool { e, _ := r.Set().Get("orders"); return e.Broken() == nil }, "it is mended")
	}
}

func TestASlowSecretHoldsUpNobodyElse(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	s.store.set("webhook.slow", canary)
	a, b := s.start(t), s.start(t)
	wanted := spec("slow")
	wanted.Events, wanted.Signing = []string{"ci.*"}, []events.EndpointSigning{{Key: "secret:webhook.slow"}}
	changed, err := a.Create(t.Context(), events.EndpointCreateRequest{Endpoint: spec("warm-up"), RecipientKey: newKey(t).Public()})
	require.NoError(t, err)
	require.NotZero(t, changed)
	dry, err := a.Create(t.Context(), events.EndpointCreateRequest{Endpoint: wanted, DryRun: true}) // now a knows the secret, and b does not
	require.NoError(t, err)
	require.NotZero(t, dry)
	release := s.store.block("webhook.slow")
	defer release()

	key := `{"id":"k1","method":"v1","reference":"secret:webhook.slow","created_at":"2026-01-01T00:00:00Z"}`
	began := time.Now()
	a.put(t, "slow", `{"version":1,"spec":{"id":"slow","url":"https://receiver.example/","events":["ci.*"]},"keys":[`+key+`],"created_at":"2026-01-01T00:00:00Z","updated_at":"2026-01-01T00:00:00Z"}`)
	a.create(t, spec("quick"))
	eventually(t, func() bool { e, ok := b.Set().Get("quick"); return ok && e.Broken() == nil }, "the other endpoint")
	quick := time.Since(began)
	eventually(t, func() bool { _, ok := b.Set().Get("slow"); return ok }, "the endpoint itself gets its deliveries")
	t.Logf("beside a store that hangs, the other endpoint was there after %s and the one that waits after %s", quick, time.Since(began))
	require.Less(t, time.Since(began), 15*time.Second)
	e, _ := b.Set().Get("slow")
	refused(t, e.Broken(), events.CodeUnavailable, "secrets")
	require.Equal(t, []string{"ci.*"}, e.Spec().Events)

	release()
	eventually(t, func() bool { e, _ := b.Set().Get("slow"); return e.Broken() == nil }, "its secret has come")
	require.True(t, verifies(t, signed(t, b, "slow", time.Now()), canary))
}

func TestALostSecretKeepsNobodyFromMendingTheEndpoint(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	s.store.set("webhook.key", canary)
	r := s.start(t)
	wanted := spec("orders")
	wanted.Signing = []events.EndpointSigning{{Key: "secret:webhook.key"}}
	r.create(t, wanted)
	s.store.set("webhook.key", "")
	eventually(t, func() bool { e, _ := r.Set().Get("orders"); return e.Broken() != nil }, "the secret is gone")
	changed := r.update(t, "orders", `{"disabled":true}`)
	require.Equal(t, events.EndpointFailing, changed.Endpoint.Status.State)
	e, _ := r.Set().Get("orders")
	require.True(t, e.Disabled())
	r.update(t, "orders", `{"disabled":false,"signing":[{}]}`)
	eventually(t, func() bool { e, _ := r.Set().Get("orders"); return !e.Disabled() }, "it is on again")
	// The old key is still to sign, as long as the overlap lasts: a receiver may know that one only.
	e, _ = r.Set().Get("orders")
	refused(t, e.Broken(), events.CodeNotFound, "webhook.key")
	_, secrets := r.rotate(t, events.EndpointRotateRequest{ID: "orders", Overlap: "0s"})
	require.True(t, verifies(t, signed(t, r, "orders", time.Now()), secrets[0]))
}

// certificate makes a certificate and its key, in PEM.
func certificate(t *testing.T) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "client"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	require.NoError(t, err)
	raw, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw}))
}

func TestOneClientForEachTLSConfiguration(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	cert, key := certificate(t)
	s.store.set("webhook.tls", key)
	s.store.set("webhook.not-tls", canary)
	r := s.start(t)
	withTLS := func(id, name string) events.EndpointSpec {
		e := spec(id)
		e.TLS = &events.EndpointTLS{CA: cert, Certificate: cert, Key: "secret:webhook.tls", ServerName: name}
		return e
	}
	for _, e := range []events.EndpointSpec{spec("plain1"), spec("plain2"), withTLS("tls1", "x.example"), withTLS("tls2", "x.example"), withTLS("tls3", "y.example")} {
		changed, _ := r.create(t, e)
		require.NotContains(t, changed.Endpoint.Keys, key)
	}
	client := func(id string) any { e, _ := r.Set().Get(id); return e.Client() }
	require.Same(t, client("plain1"), client("plain2"))
	require.Same(t, client("tls1"), client("tls2"))
	require.NotSame(t, client("tls1"), client("plain1"))
	require.NotSame(t, client("tls1"), client("tls3"))
	r.mu.Lock()
	configs := r.clients
	r.mu.Unlock()
	require.Len(t, configs, 3)
	require.Nil(t, configs[0])
	require.Equal(t, "x.example", configs[1].ServerName)
	require.Len(t, configs[1].Certificates, 1)
	require.NotNil(t, configs[1].RootCAs)
	require.EqualValues(t, 0x0303, configs[1].MinVersion)

	bad := withTLS("tls4", "")
	bad.TLS.Key = "secret:webhook.not-tls"
	_, err := r.Create(t.Context(), events.EndpointCreateRequest{Endpoint: bad, RecipientKey: newKey(t).Public()})
	refused(t, err, events.CodeInvalidArgument, "tls.key")
	require.NotContains(t, r.raw(t, "tls1"), "PRIVATE KEY")
}

func TestARotationThatIsToldTakesEffectAtOnce(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	s.store.set("webhook.key", "one "+canary)
	s.store.set("webhook.other", canary)
	r := s.start(t, func(c *registry.Config) {
		resolver, err := keyring.NewResolver(keyring.Options{Store: s.store, Allow: []string{"webhook.*"}, FreshFor: time.Hour})
		require.NoError(t, err)
		c.Resolver = resolver
	})
	wanted := spec("orders")
	wanted.Signing = []events.EndpointSigning{{Key: "secret:webhook.key"}}
	r.create(t, wanted)
	other := spec("other")
	other.Signing = []events.EndpointSigning{{Key: "secret:webhook.other"}}
	r.create(t, other)
	untouched, _ := r.Set().Get("other")

	s.store.set("webhook.key", "two "+canary)
	for _, name := range []string{"webhook.key", "webhook.nobody", "not.for.endpoints", "", "webhook.*"} {
		r.Rotated(name)
	}
	eventually(t, func() bool { return verifies(t, signed(t, r, "orders", time.Now()), "two "+canary) }, "the new key signs")
	same, _ := r.Set().Get("other")
	require.Same(t, untouched, same)
}
