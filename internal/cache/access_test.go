package cache_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/cache"
	"github.com/neuron7x/mlsdm-integrations/internal/cache/redistest"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
)

const password = "canary-redis-password"

// works reports whether what one cache keeps another one finds.
func works(t *testing.T, cfg cache.Config) {
	t.Helper()
	c, one, log := replica(t, cfg, "x", cache.Options{})
	require.NoError(t, c.Check(t.Context()))
	_, two, _ := replica(t, cfg, "x", cache.Options{})
	one.SetMulti(t.Context(), []string{"a", "b"}, [][]byte{{1}, {2}})
	require.Equal(t, [][]byte{{1}, {2}}, two.GetMulti(t.Context(), []string{"a", "b"}))
	calls := &counter{}
	for _, n := range []*cache.Namespace{one, two} {
		_, err := n.GetOrLoad(t.Context(), "l", value("v", calls))
		require.NoError(t, err)
	}
	require.Equal(t, 1, calls.count())
	removed, err := one.DeletePrefix(t.Context(), "")
	require.NoError(t, err)
	require.Equal(t, 3, removed)
	require.Zero(t, log.says("redis fails"), log.String())
	require.Zero(t, one.Stats().Redis.WriteErrors)
}

func TestWrongPassword(t *testing.T) {
	t.Parallel()
	server := redistest.Run(t, "--requirepass", "another")
	if server == nil {
		return
	}
	for _, given := range []string{password, ""} {
		cfg := at(server.Addr)
		cfg.RedisPassword = secret.NewValue(given)
		c, n, log := replica(t, cfg, "x", cache.Options{})
		set(t, n, "k", "v")
		require.Equal(t, "v", get(t, n, "k"))
		err := c.Check(t.Context())
		require.ErrorContains(t, err, map[bool]string{true: "NOAUTH", false: "WRONGPASS"}[given == ""])
		require.NotContains(t, err.Error()+log.String()+c.Stats().Redis.Error, password)
	}
	cfg := at(server.Addr)
	cfg.RedisPassword = secret.NewValue("another")
	works(t, cfg)
}

// store is where a password comes from that changes.
type store struct {
	mu        sync.Mutex
	now, next string
}

func (s *store) Current() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

func (s *store) Renew(context.Context, string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = s.next
}

func (s *store) rotate(next string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.next = next
}

// A password that is a reference to a secret is not known at first, and is another one after a while.
func TestPasswordThatRotates(t *testing.T) {
	t.Parallel()
	server := redistest.Run(t)
	if server == nil {
		return
	}
	server.Do("CONFIG", "SET", "requirepass", "first")
	source := &store{}
	cfg := at(server.Addr)
	cfg.RedisPassword = secret.Live(source)
	c, n, log := replica(t, cfg, "x", cache.Options{})
	require.Empty(t, get(t, n, "k"))
	require.ErrorContains(t, c.Check(t.Context()), "not known yet")
	source.rotate("first")
	eventually(t, func() bool { return c.Check(t.Context()) == nil }, "it is known")
	source.rotate("second")
	rotate(t, server, "first", "second")
	eventually(t, func() bool { return c.Check(t.Context()) == nil }, "the new one is asked for")
	set(t, n, "after", "v")
	require.NotContains(t, log.String(), "second")
}

// rotate changes the password of the default user, and ends the connections of those who have the old one.
func rotate(t *testing.T, server *redistest.Server, from, to string) {
	t.Helper()
	connection, err := new(net.Dialer).DialContext(t.Context(), "tcp", server.Addr)
	require.NoError(t, err)
	defer connection.Close()
	_, err = connection.Write([]byte("AUTH " + from + "\r\nCONFIG SET requirepass " + to + "\r\nCLIENT KILL TYPE normal\r\n"))
	require.NoError(t, err)
	answers := make([]byte, 64)
	require.NoError(t, connection.SetReadDeadline(time.Now().Add(patience)))
	for read := 0; read < len("+OK\r\n+OK\r\n:1\r\n"); {
		n, err := connection.Read(answers[read:])
		require.NoError(t, err)
		read += n
	}
}

// The rights that the setting names are enough.
func TestUserWithFewRights(t *testing.T) {
	t.Parallel()
	server := redistest.Run(t, "--user", "default", "off",
		"--user", "cache", "on", ">"+password, "~mlsdm:*", "-@all", "+get", "+mget", "+set", "+unlink", "+scan", "+eval")
	if server == nil {
		return
	}
	cfg := at(server.Addr)
	cfg.RedisUser, cfg.RedisPassword = "cache", secret.NewValue(password)
	works(t, cfg)
}

func TestDatabase(t *testing.T) {
	t.Parallel()
	server := redistest.Run(t)
	if server == nil {
		return
	}
	cfg := at(server.Addr)
	cfg.RedisDB = 3
	works(t, cfg)
	_, n, _ := replica(t, cfg, "x", cache.Options{})
	set(t, n, "k", "v")
	_, elsewhere, _ := replica(t, at(server.Addr), "x", cache.Options{})
	require.Empty(t, get(t, elsewhere, "k"))
}

func TestTLS(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ca := authority(t, dir, "ca")
	issue(t, dir, "server", ca)
	issue(t, dir, "client", ca)
	authority(t, dir, "other")
	addr := redistest.FreeAddr(t)
	file := func(name string) string { return filepath.Join(dir, name) }
	server := redistest.Run(t, "--tls-port", strconv.Itoa(redistest.Port(t, addr)), "--tls-cert-file", file("server.pem"),
		"--tls-key-file", file("server.key"), "--tls-ca-cert-file", file("ca.pem"), "--tls-auth-clients", "yes")
	if server == nil {
		return
	}
	good := at(addr)
	good.RedisTLS, good.RedisServerName = true, "redis.test"
	good.RedisCAFile, good.RedisCertFile, good.RedisKeyFile = file("ca.pem"), file("client.pem"), file("client.key")
	works(t, good)
	for want, change := range map[string]func(*cache.Config){
		"unknown authority":        func(c *cache.Config) { c.RedisCAFile = file("other.pem") },
		"not elsewhere.test":       func(c *cache.Config) { c.RedisServerName = "elsewhere.test" },
		"redis at 127.0.0.1":       func(c *cache.Config) { c.RedisCertFile, c.RedisKeyFile = "", "" },
		"cannot validate certific": func(c *cache.Config) { c.RedisServerName = "" },
	} {
		cfg := good
		change(&cfg)
		c, n, _ := replica(t, cfg, "x", cache.Options{})
		set(t, n, "k", "v")
		require.Equal(t, "v", get(t, n, "k"))
		require.ErrorContains(t, c.Check(t.Context()), want)
	}
	for want, change := range map[string]func(*cache.Config){
		"holds no certificate":              func(c *cache.Config) { c.RedisCAFile = file("ca.key") },
		"redis-cert-file and redis-key-fil": func(c *cache.Config) { c.RedisKeyFile = file("server.key") },
	} {
		cfg := good
		change(&cfg)
		_, err := cache.New(cfg, nil, nil)
		require.ErrorContains(t, err, want)
	}
}

// pair is a certificate with its key.
type pair struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

// authority makes one that signs, in dir.
func authority(t *testing.T, dir, name string) pair {
	t.Helper()
	return make509(t, dir, name, nil)
}

// issue makes a certificate for redis.test, in dir.
func issue(t *testing.T, dir, name string, by pair) {
	t.Helper()
	make509(t, dir, name, &by)
}

func make509(t *testing.T, dir, name string, by *pair) pair {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name}, DNSNames: []string{"redis.test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, BasicConstraintsValid: true,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	if by == nil {
		template.IsCA, template.KeyUsage, template.ExtKeyUsage, template.DNSNames = true, x509.KeyUsageCertSign, nil, nil
		by = &pair{certificate: template, key: key}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, by.certificate, &key.PublicKey, by.key)
	require.NoError(t, err)
	made, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	secretDER, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	for file, block := range map[string]*pem.Block{
		name + ".pem": {Type: "CERTIFICATE", Bytes: der}, name + ".key": {Type: "PRIVATE KEY", Bytes: secretDER},
	} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, file), pem.EncodeToMemory(block), 0o600))
	}
	return pair{certificate: made, key: key}
}
