package webhook_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/neuron7x/mlsdm-integrations/pkg/webhook"
)

func TestSignatures(t *testing.T) {
	t.Parallel()
	v := vectors()[0]
	at := time.Unix(v.timestamp, 999_999_999) // the fraction does not count
	both := []webhook.Signer{newSigner(t, v.secret), newSigner(t, privateKey)}
	for want, signers := range map[string][]webhook.Signer{
		v.signature:                    both[:1],
		asymmetric:                     both[1:],
		v.signature + " " + asymmetric: both,
		asymmetric + " " + v.signature: {both[1], both[0]},
		v.signature + strings.Repeat(" "+v.signature, 7): {both[0], both[0], both[0], both[0], both[0], both[0], both[0], both[0]},
	} {
		got, err := webhook.Signatures(t.Context(), signers, v.id, at, []byte(v.body))
		wantError(t, err, nil)
		if got != want {
			t.Errorf("signatures %q, want %q", got, want)
		}
	}
	_, err := webhook.Signatures(t.Context(), nil, v.id, at, nil)
	wantError(t, err, webhook.ErrCannotSign)
	_, err = webhook.Signatures(t.Context(), both, "a.b", at, nil)
	wantError(t, err, webhook.ErrInvalidID)
}

// remoteSigner is a signer that this package does not know, as one for a KMS is.
type remoteSigner struct {
	version string
	sign    func(ctx context.Context, content []byte) ([]byte, error)
}

func (s remoteSigner) Version() string { return s.version }
func (s remoteSigner) Sign(ctx context.Context, content []byte) ([]byte, error) {
	return s.sign(ctx, content)
}

func TestSignersFromElsewhere(t *testing.T) {
	t.Parallel()
	at := time.Unix(1_700_000_000, 0)
	inner := newSigner(t, privateKey)
	kms := remoteSigner{"v1a", func(ctx context.Context, content []byte) ([]byte, error) {
		if string(content) != "msg_1.1700000000.body" {
			t.Errorf("content %q", content)
		}
		return inner.Sign(ctx, content)
	}}
	for _, symmetric := range []webhook.Signer{newSigner(t, "a secret"), remoteSigner{"v1", newSigner(t, "a secret").Sign}} {
		list, err := webhook.Signatures(t.Context(), []webhook.Signer{symmetric, kms}, "msg_1", at, []byte("body"))
		wantError(t, err, nil)
		header := headers("msg_1", "1700000000", list)
		wantError(t, newWebhook(t, publicKey).VerifyAt(header, []byte("body"), at), nil)
		wantError(t, newWebhook(t, "a secret").VerifyAt(header, []byte("body"), at), nil)
	}

	errSealed := errors.New("vault is sealed")
	failing := remoteSigner{"v1a", func(context.Context, []byte) ([]byte, error) { return nil, errSealed }}
	_, err := webhook.Signatures(t.Context(), []webhook.Signer{newSigner(t, "a secret"), failing}, "msg_1", at, nil)
	wantError(t, err, errSealed)

	answers := func(n int) func(context.Context, []byte) ([]byte, error) {
		return func(context.Context, []byte) ([]byte, error) { return make([]byte, n), nil }
	}
	for _, signer := range []remoteSigner{
		{"", answers(1)},
		{"v 1", answers(1)},
		{"v1,x", answers(1)},
		{"v1\r\nx: y", answers(1)},
		{"V1", answers(1)},
		{strings.Repeat("v", 17), answers(1)},
		{"v1", answers(0)},
		{"v1", answers(1025)},
	} {
		_, err := webhook.Signatures(t.Context(), []webhook.Signer{signer}, "msg_1", at, nil)
		wantError(t, err, webhook.ErrInvalidSignature)
	}
}

// TestSignersAreSharedSafely: one signer serves many at once, and what one signs never shows in what another does.
func TestSignersAreSharedSafely(t *testing.T) {
	t.Parallel()
	signers := []webhook.Signer{newSigner(t, "one"), newSigner(t, "two")}
	receiver := newWebhook(t, "two")
	at := time.Unix(1_700_000_000, 0)
	var wg sync.WaitGroup
	for worker := range 8 {
		wg.Go(func() {
			for i := range 200 {
				id := fmt.Sprintf("msg_%d_%d", worker, i)
				body := []byte(strings.Repeat(id, i%7))
				list, err := webhook.Signatures(t.Context(), signers, id, at, body)
				wantError(t, err, nil)
				wantError(t, receiver.VerifyAt(headers(id, "1700000000", list), body, at), nil)
			}
		})
	}
	wg.Wait()
}

func TestBodySignature(t *testing.T) {
	t.Parallel()
	for _, secret := range []string{"plain text", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"} {
		hook := newWebhook(t, secret)
		if got, want := webhook.BodySignature(secret, []byte("{}")), hook.SignBody([]byte("{}")); got != want {
			t.Errorf("BodySignature %q, want %q", got, want)
		}
	}
}

func TestSignersDoNotPrintKeys(t *testing.T) {
	t.Parallel()
	for _, secret := range []string{"hunter2 hunter2", privateKey} {
		signer := newSigner(t, secret)
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			for _, printed := range []string{fmt.Sprintf(verb, signer), fmt.Sprintf(verb, struct{ s webhook.Signer }{signer})} {
				for _, leak := range []string{"hunter2", "6Xb/dCcH", "68756e746572", "e976ff74", "104 117 110", "233 118 255"} {
					if strings.Contains(printed, leak) {
						t.Errorf("%s prints %q", verb, printed)
					}
				}
			}
		}
	}
}

func newSigner(t testing.TB, secret string) webhook.Signer {
	t.Helper()
	newKind := webhook.NewHMAC
	if strings.HasPrefix(secret, "whsk_") {
		newKind = webhook.NewEd25519
	}
	signer, err := newKind(secret)
	if err != nil {
		t.Fatal(err)
	}
	return signer
}
