package webhook_test

import (
	"testing"
	"time"
)

// FuzzVerify checks that no header makes a receiver panic, and that nothing verifies but what the secret's owner signed.
func FuzzVerify(f *testing.F) {
	for _, v := range vectors() {
		f.Add(v.id, "1614265330", v.signature, []byte(v.body))
	}
	f.Add("a.1", "2", badSignature+" v2,x v1,", []byte("2.x"))
	f.Add("", "-1", ",", []byte(nil))
	hook := newWebhook(f, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	now := time.Unix(1614265330, 0)
	f.Fuzz(func(t *testing.T, id, timestamp, signatures string, body []byte) {
		header := headers(id, timestamp, signatures)
		header.Set("X-Webhook-Signature", signatures)
		_ = hook.VerifyBody(header, body)
		v := vectors()[0]
		if hook.VerifyAt(header, body, now) == nil && (id != v.id || timestamp != "1614265330" || string(body) != v.body) {
			t.Fatalf("forged: id %q timestamp %q signatures %q body %q", id, timestamp, signatures, body)
		}
		if signed, err := hook.Sign(id, now, body); err == nil {
			wantError(t, hook.VerifyAt(signed, body, now), nil)
			wantError(t, hook.VerifyBody(signed, body), nil)
		}
	})
}
