package webhook

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"time"
)

// What a [Webhook.Handler] does unless it is told otherwise.
const (
	// DefaultMaxBody is the largest body that is read, in bytes.
	DefaultMaxBody = 1 << 20
	// DefaultRemember is how long the id of a handled webhook is remembered: for as long as a request that was recorded
	// could be sent again with a timestamp that is still good (which may lie in the future at first), and a little longer.
	DefaultRemember = 2*Tolerance + time.Minute
	// DefaultReplays is how many ids are remembered.
	DefaultReplays = 100_000
)

const (
	// retryAfter tells senders when to come back, in seconds.
	retryAfter = "5"
	// endTimeout bounds how long the end of a webhook may take to write down.
	endTimeout = 10 * time.Second
)

// HandlerOption changes what a [Webhook.Handler] does.
type HandlerOption func(*handler)

// MaxBody sets the largest body that is read, in bytes, instead of [DefaultMaxBody].
func MaxBody(n int64) HandlerOption { return func(h *handler) { h.maxBody = n } }

// Remember sets how long the id of a handled webhook is remembered, instead of [DefaultRemember] and never shorter: as long
// as the sender goes on trying, if its late repetitions are to be dropped too.
func Remember(d time.Duration) HandlerOption {
	return func(h *handler) { h.remember = max(d, DefaultRemember) }
}

// RememberIn sets where the ids of handled webhooks are remembered, instead of a [MemoryReplays] of [DefaultReplays].
func RememberIn(replays Replays) HandlerOption { return func(h *handler) { h.replays = replays } }

// OnRefused sets what is told of each request that the next handler does not get, and why, for logs and metrics: the errors
// of [Webhook.Read], [ErrHandled], [ErrBusy], and those of a [Replays]; the last also when the end of a webhook that was
// handled cannot be written down. It is called in the goroutine of the request.
func OnRefused(told func(r *http.Request, err error)) HandlerOption {
	return func(h *handler) { h.told = told }
}

// handler stands before the handler of a receiver.
type handler struct {
	hook     *Webhook
	next     http.Handler
	maxBody  int64
	remember time.Duration
	replays  Replays
	told     func(*http.Request, error)
}

// Handler returns a handler that gives next only what is signed with one of the keys, not too old, and not handled before.
// The body of the request that next gets is the one that was verified, in memory: it can be read more than once, because
// it is an [io.Seeker] too, and GetBody gives it anew.
//
// A webhook is handled when next answers 2xx; it should do so as soon as the webhook is stored. Its id is remembered then,
// and copies that come later, whether the sender repeats it or someone else a recording of it, are answered 204 without
// next, so that a sender who missed the first answer stops. After any other answer, and after a panic, the id is free, and
// the next copy goes to next again. Of copies that come at the same time one goes to next; the others are answered 503
// with Retry-After, because it is not known yet whether they will be needed. (409 would say the same to a person, but a
// sender may take it for a final no.)
//
// Everything else is answered as [Status] says. Give each path that receives for an endpoint of its own its own Handler:
// the sender may use one id for several endpoints.
func (w *Webhook) Handler(next http.Handler, options ...HandlerOption) http.Handler {
	h := &handler{
		hook: w, next: next, maxBody: DefaultMaxBody, remember: DefaultRemember, told: func(*http.Request, error) {},
	}
	for _, option := range options {
		option(h)
	}
	if h.replays == nil {
		h.replays = NewMemoryReplays(DefaultReplays)
	}
	return h
}

// Status returns the HTTP status that tells a sender of an error of this package:
//
//   - 204 for [ErrHandled]: there is nothing left to do;
//   - 400 for [ErrMissingHeader], [ErrInvalidHeader], [ErrInvalidID] and [ErrIncomplete]: this is no webhook;
//   - 401 for [ErrTooOld], [ErrTooNew] and [ErrNoMatch]: it is not, or no longer, from whom it says;
//   - 413 for [ErrTooLarge];
//   - 503 for [ErrBusy] and any other error: later it may be different;
//   - 200 for nil.
func Status(err error) int {
	is := func(targets ...error) bool {
		for _, target := range targets {
			if errors.Is(err, target) {
				return true
			}
		}
		return false
	}
	switch {
	case err == nil:
		return http.StatusOK
	case is(ErrHandled):
		return http.StatusNoContent
	case is(ErrMissingHeader, ErrInvalidHeader, ErrInvalidID, ErrIncomplete):
		return http.StatusBadRequest
	case is(ErrTooOld, ErrTooNew, ErrNoMatch):
		return http.StatusUnauthorized
	case is(ErrTooLarge):
		return http.StatusRequestEntityTooLarge
	default:
		return http.StatusServiceUnavailable
	}
}

// ServeHTTP implements [http.Handler].
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id, body, err := h.admit(w, r)
	if err == nil {
		h.handle(w, r, id, body)
		return
	}
	h.told(r, err)
	status := Status(err)
	switch status {
	case http.StatusNoContent:
		w.WriteHeader(status)
		return
	case http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", retryAfter)
	}
	http.Error(w, http.StatusText(status), status) // the reason is nobody's business who has no key
}

// admit verifies a request, and claims its id.
func (h *handler) admit(w http.ResponseWriter, r *http.Request) (id string, body []byte, err error) {
	if id, body, err = h.hook.read(w, r, h.maxBody); err != nil {
		return "", nil, err
	}
	standing, err := h.replays.Begin(r.Context(), id, time.Now().Add(h.remember))
	switch {
	case err != nil:
		return "", nil, err
	case standing == Handled:
		return "", nil, ErrHandled
	case standing != Fresh:
		return "", nil, ErrBusy
	}
	return id, body, nil
}

// handle gives a verified request to the next handler, and notes what came of it.
func (h *handler) handle(w http.ResponseWriter, r *http.Request, id string, body []byte) {
	answer := &recorder{ResponseWriter: w}
	handled := false
	defer func() { // also when next panics, or ends the goroutine
		ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), endTimeout)
		defer cancel()
		if err := h.replays.End(ctx, id, handled, time.Now().Add(h.remember)); err != nil {
			h.told(r, err)
		}
	}()
	h.next.ServeHTTP(answer, withBody(r, body))
	handled = answer.success()
}

// withBody returns a copy of r with a body from memory.
func withBody(r *http.Request, body []byte) *http.Request {
	r = r.WithContext(r.Context())
	r.Body = memoryBody{bytes.NewReader(body)}
	r.GetBody = func() (io.ReadCloser, error) { return memoryBody{bytes.NewReader(body)}, nil }
	r.ContentLength, r.TransferEncoding = int64(len(body)), nil
	return r
}

// memoryBody is a body that can be read again.
type memoryBody struct{ *bytes.Reader }

// Close implements [io.Closer]; it does nothing.
func (memoryBody) Close() error { return nil }

// recorder remembers the status that a handler answers with.
type recorder struct {
	http.ResponseWriter

	status int
}

// WriteHeader implements [http.ResponseWriter].
func (r *recorder) WriteHeader(status int) {
	if r.status == 0 && (status >= http.StatusOK || status == http.StatusSwitchingProtocols) { // others announce the final one
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

// Write implements [http.ResponseWriter].
func (r *recorder) Write(p []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	return r.ResponseWriter.Write(p)
}

// Unwrap lets [http.ResponseController] find what the server's own writer can do.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// success reports whether the answer is 2xx, which it also is when the handler says nothing.
func (r *recorder) success() bool {
	return r.status == 0 || r.status >= http.StatusOK && r.status < http.StatusMultipleChoices
}
