package bus_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nkeys"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// within connects with little patience, so that what should fail at once is seen to.
func within(t *testing.T, cfg bus.Config) (*bus.Bus, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	b, err := bus.Connect(ctx, cfg, "test", bus.Options{})
	require.NoError(t, ctx.Err(), "it was not tried again and again")
	if err == nil {
		t.Cleanup(func() { require.NoError(t, b.Close(context.Background())) })
	}
	return b, err
}

func TestConnectWithAnNKey(t *testing.T) {
	t.Parallel()
	good, bad := newUser(t), newUser(t)
	s := bustest.Start(t, bustest.Bare(), bustest.Configure(func(o *server.Options) {
		o.Nkeys = []*server.NkeyUser{{Nkey: good.public}}
	}))
	cfg := s.Config()
	cfg.NKeyFile = good.file
	b, err := within(t, cfg)
	require.NoError(t, err)
	require.NoError(t, b.Connected())
	cfg.NKeyFile = bad.file
	_, err = within(t, cfg)
	require.ErrorContains(t, err, "refuses the credentials")
	cfg.NKeyFile = filepath.Join(t.TempDir(), "none")
	_, err = within(t, cfg)
	require.ErrorIs(t, err, os.ErrNotExist)
}

// user is an nkey user and the file with the seed.
type user struct {
	pair         nkeys.KeyPair
	public, file string
}

func newUser(t *testing.T) user {
	t.Helper()
	pair, err := nkeys.CreateUser()
	require.NoError(t, err)
	public, err := pair.PublicKey()
	require.NoError(t, err)
	seed, err := pair.Seed()
	require.NoError(t, err)
	return user{pair: pair, public: public, file: write(t, "seed.nk", seed)}
}

func write(t *testing.T, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, data, 0o600))
	return path
}

func TestConnectWithACredsFile(t *testing.T) {
	t.Parallel()
	operator, err := nkeys.CreateOperator()
	require.NoError(t, err)
	operatorKey, err := operator.PublicKey()
	require.NoError(t, err)
	account, err := nkeys.CreateAccount()
	require.NoError(t, err)
	accountKey, err := account.PublicKey()
	require.NoError(t, err)
	accountJWT, err := jwt.NewAccountClaims(accountKey).Encode(operator)
	require.NoError(t, err)
	resolver := &server.MemAccResolver{}
	require.NoError(t, resolver.Store(accountKey, accountJWT))
	s := bustest.Start(t, bustest.Bare(), bustest.Configure(func(o *server.Options) {
		o.TrustedKeys, o.AccountResolver, o.JetStream = []string{operatorKey}, resolver, false
	}))

	u := newUser(t)
	userJWT, err := jwt.NewUserClaims(u.public).Encode(account)
	require.NoError(t, err)
	seed, err := u.pair.Seed()
	require.NoError(t, err)
	creds, err := jwt.FormatUserConfig(userJWT, seed)
	require.NoError(t, err)
	cfg := s.Config()
	cfg.Creds = write(t, "user.creds", creds)
	b, err := within(t, cfg)
	require.NoError(t, err)
	_, err = b.Missing(t.Context(), events.ServiceEmbedder)
	require.ErrorContains(t, err, "JetStream is not switched on", "this account has none")
	require.Equal(t, events.CodeFailedPrecondition, events.CodeOf(err))

	cfg.Creds = filepath.Join(t.TempDir(), "none.creds")
	_, err = within(t, cfg)
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestConnectOverMutualTLS(t *testing.T) {
	t.Parallel()
	ca := newCA(t)
	serverCert, clientCert := ca.issue(t, "server"), ca.issue(t, "client")
	pair, err := tls.LoadX509KeyPair(serverCert.cert, serverCert.key)
	require.NoError(t, err)
	pool := x509.NewCertPool()
	pool.AddCert(ca.cert)
	s := bustest.Start(t, bustest.Bare(), bustest.Configure(func(o *server.Options) {
		o.TLS, o.TLSVerify, o.TLSTimeout = true, true, 5
		o.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{pair}, ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert}
	}))
	cfg := s.Config()
	cfg.TLSCA, cfg.TLSCert, cfg.TLSKey = ca.file, clientCert.cert, clientCert.key
	b, err := within(t, cfg)
	require.NoError(t, err)
	require.NoError(t, b.Connected())

	stranger := newCA(t).issue(t, "client")
	for name, change := range map[string]func(*bus.Config){
		"an authority that we do not know": func(c *bus.Config) { c.TLSCA = newCA(t).file },
		"no certificate of ours":           func(c *bus.Config) { c.TLSCert, c.TLSKey = "", "" },
		"one of a stranger":                func(c *bus.Config) { c.TLSCert, c.TLSKey = stranger.cert, stranger.key },
		"no CA file":                       func(c *bus.Config) { c.TLSCA = filepath.Join(t.TempDir(), "none") },
		"a CA file without certificates":   func(c *bus.Config) { c.TLSCA = write(t, "ca.pem", []byte("hello")) },
		"another's key":                    func(c *bus.Config) { c.TLSKey = stranger.key },
	} {
		broken := cfg
		change(&broken)
		_, err := within(t, broken)
		require.Error(t, err, name)
	}
	plain := bustest.Start(t, bustest.Bare()).Config()
	plain.TLSCA = ca.file
	_, err = within(t, plain)
	require.Error(t, err, "TLS was asked for; the server has none")
}

// authority signs certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	file string
}

func newCA(t *testing.T) authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "test CA"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return authority{cert: cert, key: key, file: write(t, "ca.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))}
}

// issued are the files of a certificate.
type issued struct{ cert, key string }

func (a authority) issue(t *testing.T, name string) issued {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageDigitalSignature, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	require.NoError(t, err)
	keyDER, err := x509.MarshalECPrivateKey(key)
	require.NoError(t, err)
	return issued{
		cert: write(t, name+".pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		key:  write(t, name+".key", pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: keyDER})),
	}
}

func TestConnectSkipsADeadServer(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t, bustest.Bare())
	cfg := s.Config()
	cfg.URLs = append([]string{"nats://127.0.0.1:1"}, cfg.URLs...)
	b, err := within(t, cfg)
	require.NoError(t, err)
	require.NoError(t, b.Connected())
}

func TestClosedWhenTheCredentialsAreRevoked(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t, bustest.Bare(), bustest.Configure(withUser("ann", "right")))
	cfg := s.Config()
	cfg.User = "ann"
	require.NoError(t, cfg.Password.UnmarshalText([]byte("right")))
	b, err := bus.Connect(t.Context(), cfg, "test", bus.Options{})
	require.NoError(t, err)
	s.RestartWith(t, bustest.Configure(withUser("ann", "another")))
	select {
	case <-b.Closed():
		require.Error(t, b.Connected())
	case <-time.After(20 * time.Second):
		t.Fatal("the process does not notice that it is locked out")
	}
}

func TestConfigRefusesWhatIsNoURL(t *testing.T) {
	t.Parallel()
	for _, u := range []string{"", "nats://", "nats://u:canary@host:port", "nats://u:canary@ho st:1"} {
		err := bus.Config{URLs: []string{"127.0.0.1:4222", u}}.Validate()
		require.ErrorContains(t, err, "nats-url number 2", u)
		require.NotContains(t, err.Error(), "canary")
	}
}
