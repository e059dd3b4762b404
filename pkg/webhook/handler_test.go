package webhook_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/neuron7x/mlsdm-integrations/pkg/webhook"
)

// inbox is a receiver behind the middleware; it answers what its status says.
type inbox struct {
	webhooks []string // the bodies it was given
	status   int
	refused  error // the last reason why a request did not get here
	handler  http.Handler
}

func newInbox(t testing.TB, options ...webhook.HandlerOption) *inbox {
	t.Helper()
	in := &inbox{status: http.StatusNoContent}
	options = append([]webhook.HandlerOption{webhook.OnRefused(func(_ *http.Request, err error) { in.refused = err })}, options...)
	in.handler = newWebhook(t, "s").Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		wantError(t, err, nil)
		in.webhooks = append(in.webhooks, string(body))
		if in.status != 0 {
			w.WriteHeader(in.status)
		}
	}), options...)
	return in
}

// post gives the inbox a request and returns the answer.
func (in *inbox) post(header http.Header, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequestWithContext(context.Background(), http.MethodPost, "/", strings.NewReader(body))
	r.Header = header
	answer := httptest.NewRecorder()
	in.handler.ServeHTTP(answer, r)
	return answer
}

// signed posts a rightly signed request.
func (in *inbox) signed(t testing.TB, id string) int {
	t.Helper()
	return in.post(mustSign(t, newWebhook(t, "s"), id, time.Now(), []byte("body")), "body").Code
}

// want checks the status of an answer, and how many webhooks have come through so far.
func (in *inbox) want(t testing.TB, got, status, handled int) {
	t.Helper()
	if got != status || len(in.webhooks) != handled {
		t.Errorf("status %d with %d webhooks handled, want %d with %d", got, len(in.webhooks), status, handled)
	}
}

func TestHandlerAnswers(t *testing.T) {
	t.Parallel()
	hook := newWebhook(t, "s")
	sign := func(change func(http.Header)) http.Header {
		h := mustSign(t, hook, "msg_1", time.Now(), []byte("body"))
		change(h)
		return h
	}
	tests := []struct {
		name   string
		header http.Header
		body   string
		status int
		reason error
	}{
		{"right", sign(func(http.Header) {}), "body", http.StatusNoContent, nil},
		{"unsigned", http.Header{}, "body", http.StatusBadRequest, webhook.ErrMissingHeader},
		{"two ids", sign(func(h http.Header) { h.Add("webhook-id", "msg_2") }), "body", http.StatusBadRequest, webhook.ErrInvalidHeader},
		{"two times", sign(func(h http.Header) { h.Add("webhook-timestamp", "1") }), "body", http.StatusBadRequest, webhook.ErrInvalidHeader},
		{"two lists", sign(func(h http.Header) { h.Add("webhook-signature", "v1,x") }), "body", http.StatusBadRequest, webhook.ErrInvalidHeader},
		{"no time", sign(func(h http.Header) { h.Set("webhook-timestamp", "now") }), "body", http.StatusBadRequest, webhook.ErrInvalidHeader},
		{"bad id", sign(func(h http.Header) { h.Set("webhook-id", "a.b") }), "body", http.StatusBadRequest, webhook.ErrInvalidID},
		{"old", mustSign(t, hook, "msg_1", time.Now().Add(-time.Hour), []byte("body")), "body", http.StatusUnauthorized, webhook.ErrTooOld},
		{"early", mustSign(t, hook, "msg_1", time.Now().Add(time.Hour), []byte("body")), "body", http.StatusUnauthorized, webhook.ErrTooNew},
		{"another body", sign(func(http.Header) {}), "Body", http.StatusUnauthorized, webhook.ErrNoMatch},
		{"another id", sign(func(h http.Header) { h.Set("webhook-id", "msg_2") }), "body", http.StatusUnauthorized, webhook.ErrNoMatch},
		{"too large", sign(func(http.Header) {}), "body!", http.StatusRequestEntityTooLarge, webhook.ErrTooLarge},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			in := newInbox(t, webhook.MaxBody(4))
			answer := in.post(tt.header, tt.body)
			handled := 0
			if tt.reason == nil {
				handled = 1
			}
			in.want(t, answer.Code, tt.status, handled)
			wantError(t, in.refused, tt.reason)
			if strings.Contains(answer.Body.String(), "webhook") {
				t.Errorf("a stranger is told why: %q", answer.Body)
			}
			// What was refused claims no id.
			in.want(t, in.signed(t, "msg_1"), http.StatusNoContent, 1)
		})
	}
}

func TestHandlerBodyThatBreaksOff(t *testing.T) {
	t.Parallel()
	in := newInbox(t)
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", failingBody{})
	r.Header = mustSign(t, newWebhook(t, "s"), "msg_1", time.Now(), []byte("body"))
	answer := httptest.NewRecorder()
	in.handler.ServeHTTP(answer, r)
	in.want(t, answer.Code, http.StatusBadRequest, 0)
	wantError(t, in.refused, webhook.ErrIncomplete)
	wantError(t, in.refused, errBroken)
}

// TestHandlerReadsNoStrangersBody: what is refused for its headers, or for its declared length, costs no memory.
func TestHandlerReadsNoStrangersBody(t *testing.T) {
	t.Parallel()
	in := newInbox(t)
	for _, header := range []http.Header{
		{}, mustSign(t, newWebhook(t, "s"), "m", time.Now().Add(-time.Hour), nil), mustSign(t, newWebhook(t, "s"), "m", time.Now(), nil),
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", readMe(func() { t.Error("the body was read") }))
		r.Header, r.ContentLength = header, 1<<40
		in.handler.ServeHTTP(httptest.NewRecorder(), r)
	}
	in.want(t, 0, 0, 0)
}

// readMe is a body that tells when it is read.
type readMe func()

func (f readMe) Read([]byte) (int, error) { f(); return 0, io.EOF }

func TestHandlerHandsOnTheBody(t *testing.T) {
	t.Parallel()
	hook := newWebhook(t, "s")
	text := strings.Repeat("0123456789", 1000)
	server := httptest.NewServer(hook.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		again, err := r.GetBody()
		wantError(t, err, nil)
		for _, body := range []io.ReadCloser{r.Body, r.Body, again} {
			got, err := io.ReadAll(body)
			wantError(t, err, nil)
			if string(got) != text || r.ContentLength != int64(len(text)) || len(r.TransferEncoding) != 0 {
				t.Errorf("%d bytes, length %d, encoding %v", len(got), r.ContentLength, r.TransferEncoding)
			}
			wantError(t, body.Close(), nil)
			if seeker, ok := body.(io.Seeker); ok {
				_, err = seeker.Seek(0, io.SeekStart)
				wantError(t, err, nil)
			} else {
				t.Error("the body cannot be read again")
			}
		}
		wantError(t, http.NewResponseController(w).Flush(), nil) // the server's own writer can still be reached
	})))
	defer server.Close()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL, io.MultiReader(strings.NewReader(text))) // chunked
	wantError(t, err, nil)
	r.Header = mustSign(t, hook, "msg_1", time.Now(), []byte(text))
	answer, err := server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		t.Errorf("status %d", answer.StatusCode)
	}
}

func TestHandlerHandlesOnce(t *testing.T) {
	t.Parallel()
	for _, status := range []int{http.StatusOK, http.StatusAccepted, http.StatusNoContent, 299, 0} {
		in := newInbox(t)
		in.status = status
		header := mustSign(t, newWebhook(t, "s"), "msg_1", time.Now(), []byte("body"))
		in.want(t, in.post(header, "body").Code, max(status, http.StatusOK), 1)
		in.want(t, in.post(header, "body").Code, http.StatusNoContent, 1) // a recording
		wantError(t, in.refused, webhook.ErrHandled)
		in.want(t, in.signed(t, "msg_1"), http.StatusNoContent, 1) // the sender, who missed the answer
		in.want(t, in.signed(t, "msg_2"), max(status, http.StatusOK), 2)
	}
}

func TestHandlerTriesAgainWhatFailed(t *testing.T) {
	t.Parallel()
	for _, status := range []int{http.StatusFound, http.StatusBadRequest, http.StatusConflict, http.StatusInternalServerError, http.StatusServiceUnavailable} {
		in := newInbox(t)
		in.status = status
		in.want(t, in.signed(t, "msg_1"), status, 1)
		in.want(t, in.signed(t, "msg_1"), status, 2)
		in.status = http.StatusOK
		in.want(t, in.signed(t, "msg_1"), http.StatusOK, 3)
		in.want(t, in.signed(t, "msg_1"), http.StatusNoContent, 3)
	}
}

func TestHandlerStatusIsTheFinalOne(t *testing.T) {
	t.Parallel()
	var tries atomic.Int32
	handler := newWebhook(t, "s").Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		tries.Add(1)
		w.WriteHeader(http.StatusEarlyHints) // not the answer
		w.WriteHeader(http.StatusInternalServerError)
		_, err := w.Write([]byte("sorry"))
		wantError(t, err, nil)
	}))
	server := httptest.NewServer(handler)
	defer server.Close()
	for range 2 {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL, nil)
		wantError(t, err, nil)
		r.Header = mustSign(t, newWebhook(t, "s"), "msg_1", time.Now(), nil)
		answer, err := server.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
	}
	if tries.Load() != 2 {
		t.Errorf("handled %d times, want 2", tries.Load())
	}
}

func TestHandlerTriesAgainWhatPanicked(t *testing.T) {
	t.Parallel()
	tries := 0
	handler := newWebhook(t, "s").Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusOK)
		if tries++; tries == 1 {
			panic(http.ErrAbortHandler)
		}
	}))
	serve := func() (panicked any) {
		defer func() { panicked = recover() }()
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", nil)
		r.Header = mustSign(t, newWebhook(t, "s"), "msg_1", time.Now(), nil)
		handler.ServeHTTP(httptest.NewRecorder(), r)
		return nil
	}
	if got := serve(); got != http.ErrAbortHandler { //nolint:errorlint // what was thrown must come out as it is
		t.Errorf("panic %v", got)
	}
	if got := serve(); got != nil || tries != 2 {
		t.Errorf("panic %v, %d tries", got, tries)
	}
}

// TestHandlerCopiesAtOnce: of copies at the same time one is handled; if that fails, the next that comes is.
func TestHandlerCopiesAtOnce(t *testing.T) {
	t.Parallel()
	for _, outcome := range []int{http.StatusOK, http.StatusInternalServerError} {
		synctest.Test(t, func(t *testing.T) {
			var calls atomic.Int32
			proceed := make(chan struct{})
			handler := newWebhook(t, "s").Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				calls.Add(1)
				<-proceed
				w.WriteHeader(outcome)
			}))
			serve := func() *httptest.ResponseRecorder {
				r := httptest.NewRequestWithContext(context.Background(), http.MethodPost, "/", nil)
				r.Header = mustSign(t, newWebhook(t, "s"), "msg_1", time.Now(), nil)
				answer := httptest.NewRecorder()
				handler.ServeHTTP(answer, r)
				return answer
			}
			first := make(chan int)
			go func() { first <- serve().Code }()
			synctest.Wait()
			for range 50 {
				if answer := serve(); answer.Code != http.StatusServiceUnavailable || answer.Header().Get("Retry-After") == "" {
					t.Errorf("a copy is answered %d, Retry-After %q", answer.Code, answer.Header().Get("Retry-After"))
				}
			}
			<-time.After(time.Hour) // however long it takes
			if answer := serve(); answer.Code != http.StatusServiceUnavailable || calls.Load() != 1 {
				t.Errorf("after an hour a copy is answered %d, %d were handled", answer.Code, calls.Load())
			}
			close(proceed)
			if got := <-first; got != outcome {
				t.Errorf("the first is answered %d, want %d", got, outcome)
			}
			if got := serve().Code; got != http.StatusNoContent && outcome == http.StatusOK || got != outcome && outcome != http.StatusOK {
				t.Errorf("the next is answered %d after a %d", got, outcome)
			}
		})
	}
}

func TestHandlerForgetsInTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		in := newInbox(t)
		longer := newInbox(t, webhook.Remember(24*time.Hour))
		shorter := newInbox(t, webhook.Remember(time.Second)) // as long as a recording lives, all the same
		ahead := mustSign(t, newWebhook(t, "s"), "msg_1", time.Now().Add(webhook.Tolerance), []byte("body"))
		for _, i := range []*inbox{in, longer, shorter} {
			i.want(t, i.post(ahead, "body").Code, http.StatusNoContent, 1)
		}
		<-time.After(2 * webhook.Tolerance) // the last moment at which the recording is good
		for _, i := range []*inbox{in, longer, shorter} {
			i.want(t, i.post(ahead, "body").Code, http.StatusNoContent, 1)
		}
		<-time.After(2 * time.Minute)
		in.want(t, in.post(ahead, "body").Code, http.StatusUnauthorized, 1)
		in.want(t, in.signed(t, "msg_1"), http.StatusNoContent, 2)
		longer.want(t, longer.signed(t, "msg_1"), http.StatusNoContent, 1)
	})
}

// TestHandlerRefusesSlowRecordings: a recording that is begun in time must not be finished after its id is forgotten.
func TestHandlerRefusesSlowRecordings(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		in := newInbox(t)
		header := mustSign(t, newWebhook(t, "s"), "msg_1", time.Now(), []byte("body"))
		in.want(t, in.post(header, "body").Code, http.StatusNoContent, 1)
		r, w := io.Pipe()
		go func() {
			<-time.After(time.Hour)
			_, err := w.Write([]byte("body"))
			wantError(t, err, nil)
			wantError(t, w.Close(), nil)
		}()
		request := httptest.NewRequestWithContext(context.Background(), http.MethodPost, "/", r)
		request.Header = header
		answer := httptest.NewRecorder()
		in.handler.ServeHTTP(answer, request)
		in.want(t, answer.Code, http.StatusUnauthorized, 1)
		wantError(t, in.refused, webhook.ErrTooOld)
	})
}

// brokenReplays is a store that is not there, wholly or when it matters most.
type brokenReplays struct {
	begin, end error
	ended      *bool // what End was told
}

func (b brokenReplays) Begin(context.Context, string, time.Time) (webhook.Standing, error) {
	return webhook.Fresh, b.begin
}

func (b brokenReplays) End(ctx context.Context, _ string, handled bool, _ time.Time) error {
	*b.ended = handled
	return errors.Join(ctx.Err(), b.end)
}

func TestHandlerWithoutItsMemory(t *testing.T) {
	t.Parallel()
	errDown := errors.New("redis is down")
	var ended bool
	in := newInbox(t, webhook.RememberIn(brokenReplays{begin: errDown, ended: &ended}))
	in.want(t, in.signed(t, "msg_1"), http.StatusServiceUnavailable, 0) // handled twice is worse than handled later
	wantError(t, in.refused, errDown)

	in = newInbox(t, webhook.RememberIn(brokenReplays{end: errDown, ended: &ended}))
	in.want(t, in.signed(t, "msg_1"), http.StatusNoContent, 1)
	wantError(t, in.refused, errDown)
}

// TestHandlerEndsForSendersWhoLeft: that the sender went away does not keep the end from being written down.
func TestHandlerEndsForSendersWhoLeft(t *testing.T) {
	t.Parallel()
	var ended bool
	in := newInbox(t, webhook.RememberIn(brokenReplays{ended: &ended}))
	ctx, leave := context.WithCancel(t.Context())
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/", bytes.NewReader(nil))
	r.Header = mustSign(t, newWebhook(t, "s"), "msg_1", time.Now(), nil)
	leave()
	in.handler.ServeHTTP(httptest.NewRecorder(), r)
	if !ended || in.refused != nil {
		t.Errorf("ended %t, %v", ended, in.refused)
	}
}

func TestStatus(t *testing.T) {
	t.Parallel()
	for err, want := range map[error]int{
		nil: 200, webhook.ErrHandled: 204, webhook.ErrBusy: 503, errBroken: 503, webhook.ErrInvalidID: 400, webhook.ErrTooNew: 401,
	} {
		if got := webhook.Status(err); got != want {
			t.Errorf("%v is %d, want %d", err, got, want)
		}
	}
}
