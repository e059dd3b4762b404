package e2e_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/pkg/webhook"
)

// secret signs the webhooks. It is a plain text, as the Python client took it.
const secret = "an e2e secret"

// hook is one webhook request whose signatures are right.
type hook struct {
	ID      string
	Type    string
	Data    json.RawMessage
	Body    []byte
	Signed  time.Time // webhook-timestamp, whole seconds
	Arrived time.Time
	Try     int // counts the requests with this ID, from 1
}

// String makes failures readable.
func (h hook) String() string {
	return fmt.Sprintf("%s %s try %d at %s", h.Type, h.ID, h.Try, h.Arrived.Format(time.StampMilli))
}

// receiver is someone who gets webhooks and believes none that is not signed.
type receiver struct {
	url string

	mu      sync.Mutex
	hooks   []hook
	tries   map[string]int
	changed chan struct{} // closed and replaced at every webhook
}

// newReceiver answers each webhook with the status that answer says; nil answers 204 to all. A webhook that is not signed
// as it must be fails the test.
func newReceiver(t *testing.T, answer func(hook) int) *receiver {
	t.Helper()
	standard, err := webhook.StandardSecret(secret)
	require.NoError(t, err)
	official, err := standardwebhooks.NewWebhook(standard)
	require.NoError(t, err)
	r := &receiver{tries: map[string]int{}, changed: make(chan struct{})}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			return // the sender died in the middle of it
		}
		got, problem := read(official, req.Header, body)
		if problem != "" {
			t.Errorf("a bad webhook: %s: %v %s", problem, req.Header, body)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		got = r.note(got)
		status := http.StatusNoContent
		if answer != nil {
			status = answer(got)
		}
		w.WriteHeader(status)
	}))
	t.Cleanup(server.Close)
	r.url = server.URL + "/hook"
	return r
}

// read verifies a request with the official library, then by the rule of the Python client, computed by hand.
func read(official *standardwebhooks.Webhook, header http.Header, body []byte) (got hook, problem string) {
	if err := official.Verify(body, header); err != nil {
		return hook{}, "the official library says " + err.Error()
	}
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	if want := "sha256=" + hex.EncodeToString(mac.Sum(nil)); header.Get("X-Webhook-Signature") != want {
		return hook{}, "X-Webhook-Signature should be " + want
	}
	seconds, err := strconv.ParseInt(header.Get("webhook-timestamp"), 10, 64)
	if err != nil {
		return hook{}, err.Error()
	}
	var content struct {
		Type string          `json:"type"`
		Data json.RawMessage `json:"data"`
	}
	if err := json.Unmarshal(body, &content); err != nil {
		return hook{}, err.Error()
	}
	return hook{
		ID: header.Get("webhook-id"), Type: content.Type, Data: content.Data, Body: body,
		Signed: time.Unix(seconds, 0), Arrived: time.Now(),
	}, ""
}

// note remembers a webhook.
func (r *receiver) note(got hook) hook {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tries[got.ID]++
	got.Try = r.tries[got.ID]
	r.hooks = append(r.hooks, got)
	close(r.changed)
	r.changed = make(chan struct{})
	return got
}

// all returns the webhooks so far, and what is closed when there is another.
func (r *receiver) all() ([]hook, <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.hooks), r.changed
}

// await waits until the webhooks so far are as they should be, and returns them.
func (r *receiver) await(t *testing.T, what string, enough func([]hook) bool) []hook {
	t.Helper()
	timeout := time.After(patience)
	for {
		hooks, changed := r.all()
		if enough(hooks) {
			return hooks
		}
		select {
		case <-changed:
		case <-timeout:
			require.Fail(t, "webhooks are missing", "%s; there are %d", what, len(hooks))
		}
	}
}

// env are the settings of a dispatcher that delivers here, with waits as short as is reasonable.
func (r *receiver) env(patterns string) map[string]string {
	return map[string]string{
		"WEBHOOK_URL": r.url, "WEBHOOK_SECRET": secret, "WEBHOOK_EVENTS": patterns, "WEBHOOK_ALLOW_NETWORKS": "127.0.0.0/8",
		"WEBHOOK_RETRY": "250ms,500ms,1s,2s,4s", "WEBHOOK_SEAL_KEYS": base64.StdEncoding.EncodeToString(make([]byte, 32)),
	}
}
