package webhook_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/neuron7x/mlsdm-integrations/pkg/webhook"
)

// vector is a published signature.
type vector struct {
	name, secret, id string
	timestamp        int64
	body, signature  string
}

// vectors 1 and 2 are those of the Go and the Rust reference library of Standard Webhooks; 3 is a computed one with a
// key of only 18 bytes.
func vectors() []vector {
	return []vector{
		{
			"go library", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330,
			`{"test": 2432232314}`, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
		},
		{
			"rust library", "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD", "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk", 1649367553,
			`{"email":"test@example.com","username":"test_user"}`, "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=",
		},
		{
			"short key", "whsec_plJ3nmyCDGBKInavdOK15jsl", "msg_loFOjxBNrRLzqYUf", 1731705121,
			`{"event_type":"ping","data":{"success":true}}`, "v1,rAvfW3dJ/X/qxhsaXPOyyCGmRKsaKWcsNccKXlIktD0=",
		},
	}
}

// badSignature is of the right form, and made by someone else.
const badSignature = "v1,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc="

func TestVectors(t *testing.T) {
	t.Parallel()
	for _, v := range vectors() {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			hook := newWebhook(t, v.secret)
			at := time.Unix(v.timestamp, 0)
			header, err := hook.Sign(v.id, at, []byte(v.body))
			if err != nil {
				t.Fatal(err)
			}
			want := map[string]string{
				webhook.HeaderID: v.id, webhook.HeaderTimestamp: strconv.FormatInt(v.timestamp, 10), webhook.HeaderSignature: v.signature,
			}
			for name, value := range want {
				if got := header.Get(name); got != value {
					t.Errorf("%s = %q, want %q", name, got, value)
				}
			}
			if err := hook.VerifyAt(header, []byte(v.body), at); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestVerifySignatureList(t *testing.T) {
	t.Parallel()
	v := vectors()[0]
	good := v.signature
	bare := strings.TrimPrefix(good, "v1,")
	tests := []struct {
		name, signatures string
		want             error
	}{
		{"good", good, nil},
		{"wrong", badSignature, webhook.ErrNoMatch},
		{"empty signature", "v1,", webhook.ErrNoMatch},
		{"version only", "v1", webhook.ErrNoMatch},
		{"no version", bare, webhook.ErrNoMatch},
		{"unknown version alone", "v2," + bare, webhook.ErrNoMatch},
		{"asymmetric version alone", "v1a," + bare, webhook.ErrNoMatch},
		{"upper-case version", "V1," + bare, webhook.ErrNoMatch},
		{"several, one good", strings.Join([]string{badSignature, "v2," + bare, good, badSignature}, " "), nil},
		{"several, none good", badSignature + " v2," + bare, webhook.ErrNoMatch},
		{"extra spaces", "  " + badSignature + "   " + good + " ", nil},
		{"cut short", good[:len(good)-1], webhook.ErrNoMatch},
		{"trailing text", good + "x", webhook.ErrNoMatch},
		{"commas", ",,,,", webhook.ErrNoMatch},
		{"absent", "", webhook.ErrMissingHeader},
		{"too long", strings.Repeat(badSignature+" ", 200) + good, webhook.ErrInvalidHeader},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			header := headers(v.id, strconv.FormatInt(v.timestamp, 10), tt.signatures)
			err := newWebhook(t, v.secret).VerifyAt(header, []byte(v.body), time.Unix(v.timestamp, 0))
			wantError(t, err, tt.want)
		})
	}
}

func TestVerifyTolerance(t *testing.T) {
	t.Parallel()
	at := time.Unix(1_700_000_000, 0)
	hook := newWebhook(t, "a secret")
	body := []byte(`{}`)
	header := mustSign(t, hook, "msg_1", at, body)
	tests := []struct {
		name string
		now  time.Duration
		want error
	}{
		{"same second", 0, nil},
		{"five minutes later", 5 * time.Minute, nil},
		{"later still", 5*time.Minute + time.Second, webhook.ErrTooOld},
		{"a year later", 365 * 24 * time.Hour, webhook.ErrTooOld},
		{"receiver five minutes behind", -5 * time.Minute, nil},
		{"receiver further behind", -5*time.Minute - time.Second, webhook.ErrTooNew},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			wantError(t, hook.VerifyAt(header, body, at.Add(tt.now)), tt.want)
		})
	}
}

// TestVerifyUsesTheClock runs at the fake time of a synctest bubble.
func TestVerifyUsesTheClock(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		hook := newWebhook(t, "a secret")
		header := mustSign(t, hook, "msg_1", time.Now(), nil)
		wantError(t, hook.Verify(header, nil), nil)
		<-time.After(webhook.Tolerance + 2*time.Second)
		wantError(t, hook.Verify(header, nil), webhook.ErrTooOld)
	})
}

func TestVerifyBadHeaders(t *testing.T) {
	t.Parallel()
	v := vectors()[0]
	now := time.Unix(v.timestamp, 0)
	stamp := strconv.FormatInt(v.timestamp, 10)
	tests := []struct {
		name   string
		header http.Header
		want   error
	}{
		{"nothing", http.Header{}, webhook.ErrMissingHeader},
		{"no id", headers("", stamp, v.signature), webhook.ErrMissingHeader},
		{"no timestamp", headers(v.id, "", v.signature), webhook.ErrMissingHeader},
		{"timestamp not a number", headers(v.id, "now", v.signature), webhook.ErrInvalidHeader},
		{"timestamp with a sign", headers(v.id, "+"+stamp, v.signature), webhook.ErrInvalidHeader},
		{"timestamp with a zero", headers(v.id, "0"+stamp, v.signature), webhook.ErrInvalidHeader},
		{"timestamp with a fraction", headers(v.id, stamp+".5", v.signature), webhook.ErrInvalidHeader},
		{"timestamp too big", headers(v.id, "99999999999999999999", v.signature), webhook.ErrInvalidHeader},
		{"timestamp at the end of time", headers(v.id, "9223372036854775807", v.signature), webhook.ErrTooNew},
		{"timestamp at its start", headers(v.id, "-9223372036854775808", v.signature), webhook.ErrTooOld},
		{"id with a full stop", headers("msg.1", stamp, v.signature), webhook.ErrInvalidID},
		{"id of another webhook", headers("msg_other", stamp, v.signature), webhook.ErrNoMatch},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			wantError(t, newWebhook(t, v.secret).VerifyAt(tt.header, []byte(v.body), now), tt.want)
		})
	}
}

// TestVerifyRefusesMovedBoundary: whoever recorded a signed request may not cut it up differently.
func TestVerifyRefusesMovedBoundary(t *testing.T) {
	t.Parallel()
	hook := newWebhook(t, "a secret")
	header := mustSign(t, hook, "a", time.Unix(1, 0), []byte("2.body"))
	header.Set(webhook.HeaderID, "a.1")
	header.Set(webhook.HeaderTimestamp, "2")
	wantError(t, hook.VerifyAt(header, []byte("body"), time.Unix(2, 0)), webhook.ErrInvalidID)
}

func TestVerifyChangedBody(t *testing.T) {
	t.Parallel()
	hook := newWebhook(t, "a secret")
	header := mustSign(t, hook, "msg_1", time.Now(), []byte(`{"a":1}`))
	wantError(t, hook.Verify(header, []byte(`{"a": 1}`)), webhook.ErrNoMatch)
	wantError(t, hook.VerifyBody(header, []byte(`{"a": 1}`)), webhook.ErrNoMatch)
	wantError(t, newWebhook(t, "another secret").Verify(header, []byte(`{"a":1}`)), webhook.ErrNoMatch)
}

func TestRotation(t *testing.T) {
	t.Parallel()
	body := []byte("x")
	both := newWebhook(t, "new", "old")
	header := mustSign(t, both, "msg_1", time.Now(), body)
	for _, secret := range []string{"new", "old"} {
		wantError(t, newWebhook(t, secret).Verify(header, body), nil)
	}
	wantError(t, newWebhook(t, "new").VerifyBody(header, body), nil)
	wantError(t, newWebhook(t, "old").VerifyBody(header, body), webhook.ErrNoMatch)
	old := mustSign(t, newWebhook(t, "old"), "msg_1", time.Now(), body)
	wantError(t, both.Verify(old, body), nil)
	wantError(t, both.VerifyBody(old, body), nil)
}

func TestSignRefusesIDs(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"", "a.b", "a b", "a\nb", "é", "\x7f", strings.Repeat("a", 257)} {
		_, err := newWebhook(t, "s").Sign(id, time.Now(), nil)
		wantError(t, err, webhook.ErrInvalidID)
	}
}

// TestVerifyBody computes the signature as the Python client did: hmac.new(secret.encode(), body, sha256).hexdigest().
func TestVerifyBody(t *testing.T) {
	t.Parallel()
	for _, secret := range []string{"plain text", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "ключ"} {
		body := []byte(`{"event_type": "moral_filter.reject"}`)
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write(body)
		good := hex.EncodeToString(mac.Sum(nil))
		hook := newWebhook(t, secret)
		if got := hook.SignBody(body); got != "sha256="+good {
			t.Errorf("SignBody = %q, want sha256=%s", got, good)
		}
		for value, want := range map[string]error{
			"sha256=" + good:                       nil,
			"sha256=" + strings.ToUpper(good):      nil,
			"sha256=" + good[:62]:                  webhook.ErrNoMatch,
			"sha256=":                              webhook.ErrNoMatch,
			"sha256=" + strings.Repeat("00", 32):   webhook.ErrNoMatch,
			"sha256=" + good + "0":                 webhook.ErrInvalidHeader,
			"sha1=" + good:                         webhook.ErrInvalidHeader,
			good:                                   webhook.ErrInvalidHeader,
			"":                                     webhook.ErrMissingHeader,
			"sha256=" + strings.Repeat("0g", 1000): webhook.ErrInvalidHeader,
		} {
			wantError(t, hook.VerifyBody(http.Header{webhook.HeaderBodySignature: {value}}, body), want)
		}
	}
}

func TestSecrets(t *testing.T) {
	t.Parallel()
	for _, secret := range []string{"", "whsec_", "whsec_not base64!", "whsec_YQ", "whsec_YR==", "whsec_-_-_", "whsec_YWJj\n"} {
		_, err := webhook.New(secret)
		wantError(t, err, webhook.ErrInvalidSecret)
		if err != nil && len(secret) > 6 && strings.Contains(err.Error(), secret[6:]) {
			t.Errorf("the error quotes the secret: %v", err)
		}
		_, err = webhook.StandardSecret(secret)
		wantError(t, err, webhook.ErrInvalidSecret)
	}
	_, err := webhook.New()
	wantError(t, err, webhook.ErrInvalidSecret)
	for secret, want := range map[string]string{
		"whsec_YWJj": "whsec_YWJj",
		"abc":        "whsec_YWJj",
		"YWJj":       "whsec_WVdKag==", // base64 without the prefix is text as any other
		" abc\n":     "whsec_IGFiYwo=", // nothing is trimmed
	} {
		got, err := webhook.StandardSecret(secret)
		wantError(t, err, nil)
		if got != want {
			t.Errorf("StandardSecret(%q) = %q, want %q", secret, got, want)
		}
		wantError(t, newWebhook(t, got).Verify(mustSign(t, newWebhook(t, secret), "m", time.Now(), nil), nil), nil)
	}
}

func TestGenerateSecret(t *testing.T) {
	t.Parallel()
	a, b := webhook.GenerateSecret(), webhook.GenerateSecret()
	if a == b {
		t.Error("the same secret twice")
	}
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(a, "whsec_"))
	if err != nil || len(key) != 32 {
		t.Errorf("%d bytes, %v", len(key), err)
	}
}

func TestWebhookDoesNotPrintSecrets(t *testing.T) {
	t.Parallel()
	hook := newWebhook(t, "hunter2")
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		printed := fmt.Sprintf(verb, hook) + fmt.Sprintf(verb, struct{ hook *webhook.Webhook }{hook})
		if strings.Contains(printed, "hunter2") || strings.Contains(printed, hex.EncodeToString([]byte("hunter2"))) ||
			strings.Contains(printed, "104 117 110") {
			t.Errorf("%s prints %q", verb, printed)
		}
	}
}

func TestRead(t *testing.T) {
	t.Parallel()
	hook := newWebhook(t, "s")
	request := func(body string) *http.Request {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(body))
		r.Header = mustSign(t, hook, "msg_1", time.Now(), []byte(body))
		return r
	}
	body, err := hook.Read(request("12345"), 5)
	wantError(t, err, nil)
	if string(body) != "12345" {
		t.Errorf("body %q", body)
	}
	_, err = hook.Read(request("123456"), 5)
	wantError(t, err, webhook.ErrTooLarge)
	_, err = hook.Read(httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader("x")), 5)
	wantError(t, err, webhook.ErrMissingHeader)
	broken := request("12345")
	broken.Body = failingBody{}
	_, err = hook.Read(broken, 5)
	wantError(t, err, errBroken)
}

var errBroken = errors.New("connection reset")

// failingBody is the body of a request whose sender went away.
type failingBody struct{}

func (failingBody) Read([]byte) (int, error) { return 0, errBroken }
func (failingBody) Close() error             { return nil }

func headers(id, timestamp, signatures string) http.Header {
	h := http.Header{}
	h.Set(webhook.HeaderID, id)
	h.Set(webhook.HeaderTimestamp, timestamp)
	h.Set(webhook.HeaderSignature, signatures)
	return h
}

func newWebhook(t testing.TB, secrets ...string) *webhook.Webhook {
	t.Helper()
	hook, err := webhook.New(secrets...)
	if err != nil {
		t.Fatal(err)
	}
	return hook
}

func mustSign(t testing.TB, hook *webhook.Webhook, id string, at time.Time, body []byte) http.Header {
	t.Helper()
	header, err := hook.Sign(id, at, body)
	if err != nil {
		t.Fatal(err)
	}
	return header
}

func wantError(t testing.TB, err, want error) {
	t.Helper()
	if !errors.Is(err, want) || (want == nil && err != nil) {
		t.Errorf("error %v, want %v", err, want)
	}
}
