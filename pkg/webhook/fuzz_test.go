package webhook_test

import (
	"strings"
	"testing"
	"time"

	"github.com/neuron7x/mlsdm-integrations/pkg/webhook"
)

// FuzzVerify checks that no header makes a receiver panic, and that nothing verifies but what the keys' owners signed.
func FuzzVerify(f *testing.F) {
	for _, v := range vectors() {
		f.Add(v.id, "1614265330", v.signature, []byte(v.body))
		f.Add(v.id, "1614265330", asymmetric+" "+v.signature, []byte(v.body))
	}
	f.Add("a.1", "2", badSignature+" v2,x v1,", []byte("2.x"))
	f.Add("", "-1", ",", []byte(nil))
	hook := newWebhook(f, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", publicKey)
	sender := newWebhook(f, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", privateKey)
	now := time.Unix(1614265330, 0)
	f.Fuzz(func(t *testing.T, id, timestamp, signatures string, body []byte) {
		header := headers(id, timestamp, signatures)
		header.Set("X-Webhook-Signature", signatures)
		_ = hook.VerifyBody(header, body)
		v := vectors()[0]
		if hook.VerifyAt(header, body, now) == nil && (id != v.id || timestamp != "1614265330" || string(body) != v.body) {
			t.Fatalf("forged: id %q timestamp %q signatures %q body %q", id, timestamp, signatures, body)
		}
		if signed, err := sender.Sign(id, now, body); err == nil {
			wantError(t, hook.VerifyAt(signed, body, now), nil)
			wantError(t, hook.VerifyBody(signed, body), nil)
			wantError(t, hook.VerifyAt(signed, append(body, 0), now), webhook.ErrNoMatch)
		}
	})
}

// FuzzKeys checks that no text makes a panic when it is used as a key, that no error tells the key, and that what is
// accepted to sign with verifies what it signed.
func FuzzKeys(f *testing.F) {
	for _, key := range []string{publicKey, privateKey, vectors()[0].secret, "text", "", "whsec_", "whsk_AA==", "whpk_AA=="} {
		f.Add(key)
	}
	f.Fuzz(func(t *testing.T, key string) {
		hook, err := webhook.New(key)
		if err != nil {
			wantError(t, err, webhook.ErrInvalidSecret)
			if len(key) > 20 && strings.Contains(err.Error(), key[6:]) {
				t.Fatalf("the error tells the key: %v", err)
			}
			return
		}
		header, err := hook.Sign("msg_1", time.Now(), []byte("body"))
		if strings.HasPrefix(key, "whpk_") {
			wantError(t, err, webhook.ErrCannotSign)
			return
		}
		wantError(t, err, nil)
		wantError(t, hook.Verify(header, []byte("body")), nil)
		wantError(t, hook.Verify(header, []byte("Body")), webhook.ErrNoMatch)
	})
}
