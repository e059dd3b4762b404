package cache

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
)

// Config is what operators set.
type Config struct {
	MemoryMB         int           `name:"cache-memory-mb" env:"CACHE_MEMORY_MB" default:"64" placeholder:"MB" help:"Memory for the in-process cache, in MiB; 0 switches caching off."`
	TTL              time.Duration `name:"cache-ttl" env:"CACHE_TTL" default:"24h" placeholder:"DURATION" help:"How long a cached result may be used."`
	RedisHost        string        `name:"redis-host" env:"REDIS_HOST" placeholder:"HOST" help:"Redis that the replicas share as a cache. Empty, as redis-addrs: each process has its own cache only."`
	RedisPort        int           `name:"redis-port" env:"REDIS_PORT" default:"6379" placeholder:"PORT" help:"Port of redis-host."`
	RedisAddrs       []string      `name:"redis-addrs" env:"REDIS_ADDRS" placeholder:"HOST:PORT" help:"In the place of redis-host: the Sentinels, with redis-master; or some nodes of a Redis Cluster, with redis-cluster or if they are several."`
	RedisMaster      string        `name:"redis-master" env:"REDIS_MASTER" placeholder:"NAME" help:"Name by which the Sentinels know the master."`
	RedisCluster     bool          `name:"redis-cluster" env:"REDIS_CLUSTER" help:"The one address in redis-addrs is of a Redis Cluster."`
	RedisUser        string        `name:"redis-user" env:"REDIS_USER" placeholder:"NAME" help:"User of Redis (ACL). Empty: the default user. It needs GET, MGET, SET, UNLINK, SCAN and EVAL on mlsdm:*, and COMMAND and CLUSTER in a Cluster."`
	RedisPassword    secret.Value  `name:"redis-password" env:"REDIS_PASSWORD" placeholder:"PASSWORD" help:"Password of Redis."`
	SentinelUser     string        `name:"redis-sentinel-user" env:"REDIS_SENTINEL_USER" placeholder:"NAME" help:"User of the Sentinels."`
	SentinelPassword secret.Value  `name:"redis-sentinel-password" env:"REDIS_SENTINEL_PASSWORD" placeholder:"PASSWORD" help:"Password of the Sentinels. It is read once, when the service starts."`
	RedisDB          int           `name:"redis-db" env:"REDIS_DB" default:"0" placeholder:"N" help:"Database of Redis; a Cluster has only 0."`
	RedisTimeout     time.Duration `name:"redis-timeout" env:"REDIS_TIMEOUT" default:"250ms" placeholder:"DURATION" help:"How long one visit to Redis may take, 1ms to 10s. After one that took longer, the service works with its own cache until Redis answers again."`
	RedisTLS         bool          `name:"redis-tls" env:"REDIS_TLS" help:"Speak TLS with Redis, and with the Sentinels."`
	RedisCAFile      string        `name:"redis-ca-file" env:"REDIS_CA_FILE" placeholder:"FILE" help:"PEM file with the authorities that Redis's certificate may be of. Empty: those of the system."`
	RedisCertFile    string        `name:"redis-cert-file" env:"REDIS_CERT_FILE" placeholder:"FILE" help:"PEM file with the certificate that Redis is shown, if it wants one."`
	RedisKeyFile     string        `name:"redis-key-file" env:"REDIS_KEY_FILE" placeholder:"FILE" help:"PEM file with its key."`
	RedisServerName  string        `name:"redis-server-name" env:"REDIS_SERVER_NAME" placeholder:"NAME" help:"Name that Redis's certificate has to be for. Empty: the host that is connected to."`
}

// Bounds of settings.
const (
	maxMemoryMB = 1 << 20
	minTTL      = time.Second
	maxTimeout  = 10 * time.Second
	maxDB       = 1 << 16
	maxAddrs    = 64
)

// Validate checks the settings. Files are read where the service runs, in [New].
func (c Config) Validate() error {
	switch {
	case c.MemoryMB < 0 || c.MemoryMB > maxMemoryMB:
		return fmt.Errorf("cache-memory-mb is %d; it must be 0 to %d", c.MemoryMB, maxMemoryMB)
	case c.MemoryMB > 0 && c.TTL < minTTL:
		return fmt.Errorf("cache-ttl is %s; it must be at least %s", c.TTL, minTTL)
	case !c.shared():
		return nil
	case c.MemoryMB == 0:
		return errors.New("there are addresses of Redis but cache-memory-mb 0 switches caching off; leave one of them out")
	case c.RedisHost != "" && len(c.RedisAddrs) > 0:
		return errors.New("redis-host and redis-addrs are both set; leave one of them out")
	case c.RedisHost != "" && (c.RedisPort < 1 || c.RedisPort > 65535):
		return fmt.Errorf("redis-port is %d; it must be 1 to 65535", c.RedisPort)
	case c.RedisTimeout != 0 && (c.RedisTimeout < time.Millisecond || c.RedisTimeout > maxTimeout):
		return fmt.Errorf("redis-timeout is %s; it must be 1ms to %s", c.RedisTimeout, maxTimeout)
	case c.RedisDB < 0 || c.RedisDB > maxDB:
		return fmt.Errorf("redis-db is %d; it must be 0 to %d", c.RedisDB, maxDB)
	}
	return errors.Join(c.validateKind(), c.validateTLS())
}

// validateKind checks whether Redis is one of the three kinds that there are.
func (c Config) validateKind() error {
	if len(c.RedisAddrs) > maxAddrs {
		return fmt.Errorf("redis-addrs has %d addresses; at most %d are allowed", len(c.RedisAddrs), maxAddrs)
	}
	for _, addr := range c.RedisAddrs {
		host, port, err := net.SplitHostPort(addr)
		number, bad := strconv.Atoi(port)
		if err != nil || bad != nil || host == "" || number < 1 || number > 65535 {
			return fmt.Errorf("redis-addrs: %q is no HOST:PORT", addr)
		}
	}
	switch {
	case c.RedisMaster != "" && len(c.RedisAddrs) == 0:
		return errors.New("redis-master is set but redis-addrs is not; it names the Sentinels that know the master")
	case c.RedisMaster != "" && c.RedisCluster:
		return errors.New("redis-master and redis-cluster are both set; Redis is either behind Sentinels or a Cluster")
	case c.RedisMaster == "" && (c.SentinelUser != "" || !c.SentinelPassword.IsZero()):
		return errors.New("the Sentinels have a user or a password but there are none; redis-master says that there are")
	case c.kind() == kindCluster && c.RedisDB != 0:
		return fmt.Errorf("redis-db is %d; a Cluster has only 0", c.RedisDB)
	}
	return nil
}

func (c Config) validateTLS() error {
	switch {
	case (c.RedisCertFile == "") != (c.RedisKeyFile == ""):
		return errors.New("redis-cert-file and redis-key-file go together; one of them is not set")
	case !c.RedisTLS && c.RedisCAFile+c.RedisCertFile+c.RedisServerName != "":
		return errors.New("redis-ca-file, redis-cert-file and redis-server-name are of no use without redis-tls")
	}
	return nil
}

// Kinds of Redis, as logs and statistics name them.
const (
	kindNone     = "none"
	kindSingle   = "single"
	kindSentinel = "sentinel"
	kindCluster  = "cluster"
)

// kind says what the addresses are of.
func (c Config) kind() string {
	switch {
	case !c.shared():
		return kindNone
	case c.RedisMaster != "":
		return kindSentinel
	case c.RedisCluster || len(c.RedisAddrs) > 1:
		return kindCluster
	default:
		return kindSingle
	}
}

// shared reports whether there is a Redis.
func (c Config) shared() bool { return c.RedisHost != "" || len(c.RedisAddrs) > 0 }

// addrs are the addresses, whichever way they are given.
func (c Config) addrs() []string {
	if c.RedisHost != "" {
		return []string{net.JoinHostPort(strings.Trim(c.RedisHost, "[]"), strconv.Itoa(c.RedisPort))}
	}
	return c.RedisAddrs
}

// readFile reads a file that a setting names.
func readFile(setting, name string) ([]byte, error) {
	text, err := os.ReadFile(name) //nolint:gosec // the operator says which
	if err != nil {
		return nil, fmt.Errorf("%s: %w", setting, err)
	}
	return text, nil
}
