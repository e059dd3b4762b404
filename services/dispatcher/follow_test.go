package dispatcher_test

import (
	"bufio"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/internal/health"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/pkg/webhook"
)

const nextSecret = "n3xt-canary"

// streamEvery is the time between two events of a stream, which a receiver keeps all of.
const streamEvery = 5 * time.Millisecond

// rotating is what a setting refers to.
type rotating struct{ text atomic.Pointer[string] }

func refer(text string) *rotating {
	r := &rotating{}
	r.set(text)
	return r
}

func (r *rotating) set(text string) { r.text.Store(&text) }

// Current implements [secret.Source].
func (r *rotating) Current() string { return *r.text.Load() }

// Renew implements [secret.Source].
func (r *rotating) Renew(context.Context, string) {}

// signedWith reports whether a key is among those that have signed a webhook.
func signedWith(t *testing.T, key string, h hit) bool {
	t.Helper()
	hook, err := webhook.New(key)
	require.NoError(t, err)
	return hook.Verify(h.header, h.body) == nil
}

// bodySignature is the signature over the body alone.
func bodySignature(key string, h hit) string {
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write(h.body)
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}

// stream publishes events one after the other until its end, and returns how many.
func stream(t *testing.T, r *running) (end func() int) {
	t.Helper()
	stop := make(chan struct{})
	published := make(chan int)
	go func() {
		ticker := time.NewTicker(streamEvery)
		defer ticker.Stop()
		for n := 0; ; n++ {
			select {
			case <-stop:
				published <- n
				return
			case <-ticker.C:
			}
			if _, err := r.bus.PublishEvent(context.Background(), events.Event{
				ID: "stream-" + strconv.Itoa(n), Source: "/test", Type: "custom.deploy", Time: time.Now().UTC(),
				DataContentType: events.ContentTypeJSON, Data: []byte(`{}`),
			}); err != nil {
				t.Errorf("publishing: %v", err)
			}
		}
	}()
	var once sync.Once
	n := 0
	end = func() int {
		once.Do(func() {
			close(stop)
			n = <-published
		})
		return n
	}
	t.Cleanup(func() { end() })
	return end
}

// arrived waits until as many webhooks lie with receivers, and no delivery is on its way any more.
func arrived(t *testing.T, srv *bustest.Server, want int, receivers ...*receiver) {
	t.Helper()
	count := func() int {
		n := 0
		for _, to := range receivers {
			n += len(to.hits)
		}
		return n
	}
	require.Eventually(t, func() bool { return count() >= want }, patience, 10*time.Millisecond)
	settled(t, srv)
	require.Equal(t, want, count())
}

// delivered checks that every event of a stream was delivered once, of which some hits have been seen, and that no attempt failed.
func (r *running) delivered(t *testing.T, srv *bustest.Server, published, seen int, receivers ...*receiver) {
	t.Helper()
	arrived(t, srv, published-seen, receivers...)
	r.stop()
	require.InDelta(t, published, r.counted(t, "mlsdm_webhook_attempts_total", "outcome", "delivered"), 0)
	for _, secret := range []string{testSecret, nextSecret} {
		require.Zero(t, r.log.count(secret))
	}
}

// degraded waits until the check of the settings says something.
func (r *running) degraded(t *testing.T, text string) {
	t.Helper()
	require.Eventually(t, func() bool {
		is := r.checks.Run(t.Context()).Checks["settings"]
		return is.Status == health.StatusDegraded && len(is.Message) > 0
	}, patience, 10*time.Millisecond)
	require.Contains(t, r.checks.Run(t.Context()).Checks["settings"].Message, text)
	require.Eventually(t, func() bool { return r.log.count("cannot be used") > 0 }, patience, 10*time.Millisecond)
}

// settingsAreFine waits until nothing is wrong with the settings.
func (r *running) settingsAreFine(t *testing.T) {
	t.Helper()
	require.Eventually(t, func() bool {
		return r.checks.Run(t.Context()).Checks["settings"].Status == health.StatusOK
	}, patience, 10*time.Millisecond)
}

// The secret of the configured endpoint is rotated while webhooks are sent: the next are signed with both, and none fails.
func TestTheSecretOfTheConfiguredEndpointIsFollowed(t *testing.T) {
	t.Parallel()
	srv := bustest.Start(t)
	to := newReceiver(t, nil)
	key := refer(testSecret)
	cfg := config(to.url)
	cfg.Secret = secret.Live(key)
	r := run(t, srv, cfg)
	end := stream(t, r)
	first := to.next(t)
	verify(t, testSecret, first)
	require.False(t, signedWith(t, nextSecret, first))

	key.set(nextSecret)
	seen := 1
	for {
		h := to.next(t)
		seen++
		require.True(t, signedWith(t, testSecret, h), "who does not know the new one yet misses nothing")
		if signedWith(t, nextSecret, h) {
			require.Equal(t, bodySignature(nextSecret, h), h.header.Get("X-Webhook-Signature"), "there is room for one: the newest")
			break
		}
	}
	r.delivered(t, srv, end(), seen, to)
}

// What was taken away signs no more, and what comes after it signs alone.
func TestASecretThatIsTakenAwaySignsNoMore(t *testing.T) {
	t.Parallel()
	srv := bustest.Start(t)
	to := newReceiver(t, nil)
	key := refer(testSecret)
	cfg := config(to.url)
	cfg.Secret, cfg.Retry = secret.Live(key), waits(9, time.Second)
	r := run(t, srv, cfg)
	publish(t, r.bus, "custom.deploy", "event-1")
	verify(t, testSecret, to.next(t))
	key.set("")
	require.Eventually(t, func() bool {
		e := call[events.Endpoint](t, r, events.OpEndpointsGet, events.EndpointRequest{ID: "default"})
		return e.Status.State == events.EndpointFailing
	}, patience, 10*time.Millisecond)
	publish(t, r.bus, "custom.deploy", "event-2")
	key.set(nextSecret)
	h := to.next(t)
	require.Equal(t, "event-2", h.id)
	require.True(t, signedWith(t, nextSecret, h))
	require.False(t, signedWith(t, testSecret, h))
}

// Webhooks go to another URL, and none is lost on the way. One that may not be posted to leaves what was.
func TestTheURLOfTheConfiguredEndpointIsFollowed(t *testing.T) {
	t.Parallel()
	srv := bustest.Start(t)
	before, after := newReceiver(t, nil), newReceiver(t, nil)
	url := refer(before.url)
	cfg := config("")
	cfg.URL = secret.Live(url)
	r := run(t, srv, cfg)
	end := stream(t, r)
	verify(t, testSecret, before.next(t))
	url.set("http://10.1.2.3/" + nextSecret)
	r.degraded(t, "webhook-url")
	before.next(t)
	url.set(after.url)
	verify(t, testSecret, after.next(t))
	r.settingsAreFine(t)
	r.delivered(t, srv, end(), 3, before, after)
}

// proxy is an HTTP proxy that counts its tunnels.
type proxy struct {
	url     string
	tunnels atomic.Int64
}

func newProxy(t *testing.T) *proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it is there at once
	require.NoError(t, err)
	p := &proxy{url: "http://user:" + testSecret + "@" + listener.Addr().String()}
	var all sync.WaitGroup
	ctx, stop := context.WithCancel(context.Background())
	all.Go(func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			all.Go(func() { p.tunnel(ctx, c) })
		}
	})
	t.Cleanup(func() {
		stop()
		require.NoError(t, listener.Close())
		all.Wait()
	})
	return p
}

// tunnel does as it is asked until ctx ends.
func (p *proxy) tunnel(ctx context.Context, c net.Conn) {
	defer func() { _ = c.Close() }() // for the second time, perhaps
	asked, err := http.ReadRequest(bufio.NewReader(c))
	if err != nil || asked.Method != http.MethodConnect {
		return
	}
	p.tunnels.Add(1)
	to, err := (&net.Dialer{}).DialContext(ctx, "tcp", asked.Host)
	if err != nil {
		return
	}
	defer func() { _ = to.Close() }()
	defer context.AfterFunc(ctx, func() {
		_ = to.Close()
		_ = c.Close()
	})()
	if _, err := io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n"); err != nil {
		return
	}
	back := make(chan struct{})
	go func() {
		defer close(back)
		_, _ = io.Copy(c, to) // it ends with one of both
		_ = c.Close()
	}()
	_, _ = io.Copy(to, c)
	_ = to.Close()
	<-back
}

// Everything goes through another proxy, for endpoints of the bus too, and past none when there is to be none.
func TestTheProxyIsFollowed(t *testing.T) {
	t.Parallel()
	srv := bustest.Start(t)
	to, other := newReceiver(t, nil), newReceiver(t, nil)
	before, after := newProxy(t), newProxy(t)
	via := refer(before.url)
	cfg := config(to.url)
	cfg.Proxy = secret.Live(via)
	r := run(t, srv, cfg)
	create(t, r, spec("shop", other.url))
	end := stream(t, r)
	to.next(t)
	other.next(t)
	require.Positive(t, before.tunnels.Load())
	require.Zero(t, after.tunnels.Load())

	via.set("")
	r.degraded(t, "webhook-proxy")
	via.set(after.url)
	require.Eventually(t, func() bool { return after.tunnels.Load() >= 2 }, patience, time.Millisecond)
	r.settingsAreFine(t)
	n := end()
	arrived(t, srv, 2*n-2, to, other)
	tunnels := before.tunnels.Load()
	publish(t, r.bus, "custom.deploy", "event-last")
	arrived(t, srv, 2*n, to, other)
	require.Equal(t, tunnels, before.tunnels.Load(), "no one goes through the one before any more")
	r.delivered(t, srv, 2*(n+1), 2, to, other)
}

// sealKey makes a key to seal with.
func sealKey() string {
	raw := make([]byte, 32)
	_, _ = rand.Read(raw) // never fails
	return base64.StdEncoding.EncodeToString(raw)
}

// Keys are sealed with the newest key, and open with those before. A list without a key that is still needed is not taken over.
func TestTheSealKeysAreFollowed(t *testing.T) {
	t.Parallel()
	srv := bustest.Start(t)
	to := newReceiver(t, nil)
	one, two := sealKey(), sealKey()
	keys := refer(one)
	cfg := onlyBus()
	cfg.SealKeys = []secret.Value{secret.Live(keys)}
	r := run(t, srv, cfg)
	shop := create(t, r, spec("shop", to.url))
	end := stream(t, r)
	verifies := func(e events.Endpoint, h hit) {
		t.Helper()
		require.True(t, signedWith(t, e.Keys[0].PublicKey, h))
	}
	verifies(shop, to.next(t))

	keys.set(two)
	r.degraded(t, "the signing keys of 1 endpoints, such as shop, are sealed with keys that are not in WEBHOOK_SEAL_KEYS any more")
	require.Equal(t, 1, r.log.count("level=ERROR"), "it is said once")
	verifies(shop, to.next(t))
	call[events.EndpointChanged](t, r, events.OpEndpointsUpdate, events.EndpointUpdateRequest{ID: "shop", Endpoint: []byte(`{"headers":{"X-Team":"a"}}`)})
	r.degraded(t, "shop") // the list before is in force, and seals

	keys.set(two + "," + one)
	r.settingsAreFine(t)
	verifies(shop, to.next(t))
	call[events.EndpointChanged](t, r, events.OpEndpointsUpdate, events.EndpointUpdateRequest{ID: "shop", Endpoint: []byte(`{"headers":{"X-Team":"b"}}`)})

	keys.set(two) // with which it has been sealed now
	require.Eventually(t, func() bool { return r.log.count("has changed, and is in force") == 2 }, patience, 10*time.Millisecond)
	arrived(t, srv, end()-3, to)
	r.stop()
	for _, key := range []string{one, two} {
		require.Zero(t, r.log.count(key))
	}

	cfg.SealKeys = []secret.Value{secret.NewValue(two)}
	for len(to.hits) > 0 {
		<-to.hits
	}
	r = run(t, srv, cfg)
	publish(t, r.bus, "custom.deploy", "event-last")
	verifies(shop, to.next(t))
}
