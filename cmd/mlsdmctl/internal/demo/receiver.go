package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/pkg/webhook"
)

// maxWebhook bounds what the receiver reads.
const maxWebhook = 2 << 20

// Received is one webhook request, as the receiver judged it.
type Received struct {
	// ID is the webhook-id; Type is the event's type, empty when the body could not be read.
	ID, Type string
	// Status is what was answered.
	Status int
	// Try counts the requests with this id, from 1.
	Try int
	// Err says why the request was refused; nil when its signatures are right.
	Err error
}

// Receiver is a webhook receiver on loopback as a user would write one: it verifies both signatures of every request
// before it believes it. Refuse makes it answer 503 for a while, so that retries can be seen.
type Receiver struct {
	hook   *webhook.Webhook
	secret secret.Value
	server *http.Server
	url    string
	told   func(Received)

	mu     sync.Mutex
	refuse int
	tries  map[string]int
}

// StartReceiver starts a receiver on a free port of 127.0.0.1. told is called for every request, one at a time.
func StartReceiver(ctx context.Context, told func(Received)) (*Receiver, error) {
	key := secret.NewValue(webhook.GenerateSecret())
	hook, err := webhook.New(key.Reveal())
	if err != nil {
		return nil, err
	}
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("the demo's webhook receiver: %w", err)
	}
	r := &Receiver{hook: hook, secret: key, url: "http://" + listener.Addr().String() + "/webhooks", told: told, tries: map[string]int{}}
	r.server = &http.Server{Handler: http.HandlerFunc(r.receive), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second}
	go func() {
		if err := r.server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			told(Received{Err: fmt.Errorf("the demo's webhook receiver stopped: %w", err)})
		}
	}()
	return r, nil
}

// URL is where webhooks are posted to.
func (r *Receiver) URL() string { return r.url }

// Secret is what they are signed with.
func (r *Receiver) Secret() secret.Value { return r.secret }

// Refuse makes the receiver answer 503 to the next n requests.
func (r *Receiver) Refuse(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.refuse = n
}

// Close stops the receiver.
func (r *Receiver) Close(ctx context.Context) error { return r.server.Shutdown(ctx) }

// receive verifies one request and answers it.
func (r *Receiver) receive(w http.ResponseWriter, req *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	got := Received{ID: req.Header.Get(webhook.HeaderID)}
	body, err := r.hook.Read(req, maxWebhook)
	if err == nil {
		err = r.hook.VerifyBody(req.Header, body)
	}
	var event struct {
		Type string `json:"type"`
	}
	if err == nil {
		err = json.Unmarshal(body, &event)
	}
	got.Type, got.Err = event.Type, err
	r.tries[got.ID]++
	got.Try = r.tries[got.ID]
	switch {
	case err != nil:
		got.Status = http.StatusUnauthorized
	case r.refuse > 0:
		r.refuse--
		got.Status = http.StatusServiceUnavailable
	default:
		got.Status = http.StatusNoContent
		delete(r.tries, got.ID) // delivered: the demo may run for days
	}
	w.WriteHeader(got.Status)
	r.told(got)
}
