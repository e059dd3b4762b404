package cache

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
)

// defaultTimeout bounds one visit to Redis where the settings say nothing.
const defaultTimeout = 250 * time.Millisecond

// connectTimeout bounds each connect, and each answer, at least. No request waits for it: one that has no time left leaves, and the
// connection is for the next.
const connectTimeout = time.Second

// sentinelSteps is how many times that the way to a master may take: a Sentinel that is silent, a connect to it that fails, another
// Sentinel, and the master; and one to spare.
const sentinelSteps = 5

// errPending says that the password is a reference to a secret that is not known now.
var errPending = errors.New("the password is not known yet")

// newClient returns a client of the Redis that cfg describes. It connects when it is first used, and does not retry: whoever uses
// it has something better to do than to wait.
func newClient(cfg Config) (redis.UniversalClient, error) {
	secure, err := cfg.tls()
	if err != nil {
		return nil, err
	}
	// The client writes to stderr what goes wrong behind its back. Whatever matters of it is the error of a visit as well.
	logging.Disable()
	one := max(cfg.timeout(), connectTimeout)
	options := &redis.UniversalOptions{
		Addrs: cfg.addrs(), DB: cfg.RedisDB, MasterName: cfg.RedisMaster, IsClusterMode: cfg.kind() == kindCluster,
		CredentialsProviderContext: credentials(cfg.RedisUser, cfg.RedisPassword),
		SentinelUsername:           cfg.SentinelUser, SentinelPassword: cfg.SentinelPassword.Reveal(),
		TLSConfig: secure, Protocol: 2, DisableIdentity: true,
		MaxRetries: -1, DialerRetries: 1, FailingTimeoutSeconds: 1,
		// With Sentinels, to connect is to ask one of them first, and the others if that one is silent. The client takes its leave of
		// it only if there is time left then; otherwise it asks the same one again the next time.
		Dialer: dialer(secure, one), DialTimeout: sentinelSteps * one, ReadTimeout: one, WriteTimeout: one,
		PoolTimeout: cfg.timeout(), ContextTimeoutEnabled: true,
		// A plain Redis knows nothing of these, and answers the client's question with an error at every connect.
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}
	client := redis.NewUniversalClient(options)
	traced := spans{namespace: strconv.Itoa(cfg.RedisDB)}
	if cfg.kind() == kindSingle {
		traced.addr = cfg.addrs()[0]
	}
	client.AddHook(traced)
	return client, nil
}

// dialer returns what connects within a time, and speaks TLS unless secure is nil.
func dialer(secure *tls.Config, within time.Duration) func(ctx context.Context, network, addr string) (net.Conn, error) {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		ctx, cancel := context.WithTimeout(ctx, within)
		defer cancel()
		// Who is gone without a word is found out in 45 s, also where nothing is sent.
		plain := &net.Dialer{KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 30 * time.Second, Interval: 5 * time.Second, Count: 3}}
		if secure == nil {
			return plain.DialContext(ctx, network, addr)
		}
		return (&tls.Dialer{NetDialer: plain, Config: secure}).DialContext(ctx, network, addr)
	}
}

// credentials are asked for at each connect, so that a password that was rotated is the next connection's.
func credentials(user string, password secret.Value) func(context.Context) (string, string, error) {
	return func(context.Context) (string, string, error) {
		if password.IsPending() {
			return "", "", errPending
		}
		return user, password.Reveal(), nil
	}
}

// refused reports whether Redis did not accept the password.
func refused(err error) bool {
	return err != nil && (errors.Is(err, errPending) || strings.Contains(err.Error(), "WRONGPASS") || strings.Contains(err.Error(), "NOAUTH"))
}

func (c Config) timeout() time.Duration {
	if c.RedisTimeout > 0 {
		return c.RedisTimeout
	}
	return defaultTimeout
}

// tls returns how to speak TLS; nil is not at all.
func (c Config) tls() (*tls.Config, error) {
	if !c.RedisTLS {
		return nil, nil //nolint:nilnil // as redis.Options has it
	}
	secure := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: c.RedisServerName}
	if c.RedisCAFile != "" {
		text, err := readFile("redis-ca-file", c.RedisCAFile)
		if err != nil {
			return nil, err
		}
		secure.RootCAs = x509.NewCertPool()
		if !secure.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("redis-ca-file: %s holds no certificate in PEM", c.RedisCAFile)
		}
	}
	if c.RedisCertFile != "" {
		load := func() (*tls.Certificate, error) {
			pair, err := tls.LoadX509KeyPair(c.RedisCertFile, c.RedisKeyFile)
			if err != nil {
				return nil, fmt.Errorf("redis-cert-file and redis-key-file: %w", err)
			}
			return &pair, nil
		}
		if _, err := load(); err != nil {
			return nil, err
		}
		// Read anew at each connect: certificates are short-lived.
		secure.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return load() }
	}
	return secure, nil
}
