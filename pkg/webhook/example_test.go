package webhook_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/neuron7x/mlsdm-integrations/pkg/webhook"
)

// A receiver stands behind [webhook.Webhook.Handler], which lets through what is signed, each webhook once.
func Example() {
	hook, err := webhook.New("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	if err != nil {
		panic(err)
	}
	receiver := hook.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body) // from memory, and verified
		if err != nil {
			panic(err)
		}
		fmt.Printf("%s: %s\n", r.Header.Get(webhook.HeaderID), body)
		w.WriteHeader(http.StatusAccepted)
	}), webhook.OnRefused(func(_ *http.Request, err error) { fmt.Println(err) }))

	body := []byte(`{"type":"ci.degraded"}`)
	header, err := hook.Sign("evt_1", time.Now(), body)
	if err != nil {
		panic(err)
	}
	post := func(body []byte) {
		request := httptest.NewRequestWithContext(context.Background(), http.MethodPost, "/", bytes.NewReader(body))
		request.Header = header
		answer := httptest.NewRecorder()
		receiver.ServeHTTP(answer, request)
		fmt.Println(answer.Code)
	}
	post(body)
	post(body)         // the sender did not get the answer, or somebody recorded the request
	post([]byte(`{}`)) // not what was signed
	// Output:
	// evt_1: {"type":"ci.degraded"}
	// 202
	// webhook: handled before
	// 204
	// webhook: no matching signature
	// 401
}

// A receiver without the middleware verifies a webhook before it believes a byte of it, and drops duplicates by its id.
func ExampleWebhook_Read() {
	hook, err := webhook.New("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	if err != nil {
		panic(err)
	}
	receiver := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := hook.Read(r, 1<<20)
		if err != nil {
			w.WriteHeader(webhook.Status(err))
			return
		}
		fmt.Printf("%s: %s\n", r.Header.Get(webhook.HeaderID), body)
		w.WriteHeader(http.StatusNoContent)
	})

	body := `{"type":"ci.degraded"}`
	request := httptest.NewRequestWithContext(context.Background(), http.MethodPost, "/", strings.NewReader(body))
	request.Header, err = hook.Sign("evt_1", time.Now(), []byte(body))
	if err != nil {
		panic(err)
	}
	answer := httptest.NewRecorder()
	receiver.ServeHTTP(answer, request)
	fmt.Println(answer.Code)
	// Output:
	// evt_1: {"type":"ci.degraded"}
	// 204
}

func ExampleWebhook_VerifyAt() {
	hook, err := webhook.New("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	if err != nil {
		panic(err)
	}
	header := http.Header{}
	header.Set("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek")
	header.Set("webhook-timestamp", "1614265330")
	header.Set("webhook-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=")
	body := []byte(`{"test": 2432232314}`)

	fmt.Println(hook.VerifyAt(header, body, time.Unix(1614265330, 0)))
	err = hook.VerifyAt(header, body, time.Unix(1614265330, 0).Add(time.Hour))
	fmt.Println(errors.Is(err, webhook.ErrTooOld))
	// Output:
	// <nil>
	// true
}

// During a rotation the sender signs with both secrets, and receivers change over when they like.
func ExampleNew_rotation() {
	sender, err := webhook.New("the new secret", "the old secret")
	if err != nil {
		panic(err)
	}
	header, err := sender.Sign("evt_1", time.Now(), []byte("{}"))
	if err != nil {
		panic(err)
	}
	for _, secret := range []string{"the new secret", "the old secret", "a guess"} {
		receiver, err := webhook.New(secret)
		if err != nil {
			panic(err)
		}
		fmt.Println(receiver.Verify(header, []byte("{}")))
	}
	// Output:
	// <nil>
	// <nil>
	// webhook: no matching signature
}

func ExampleWebhook_SignBody() {
	hook, err := webhook.New("secret")
	if err != nil {
		panic(err)
	}
	fmt.Println(hook.SignBody([]byte("{}")))
	// Output: sha256=77325902caca812dc259733aacd046b73817372c777b8d95b402647474516e13
}

func ExampleStandardSecret() {
	secret, err := webhook.StandardSecret("any text")
	fmt.Println(secret, err)
	// Output: whsec_YW55IHRleHQ= <nil>
}

// With ed25519 the receiver holds a public key, with which nothing can be signed.
func ExampleNew_publicKey() {
	private, public := webhook.GenerateKeyPair()
	sender, err := webhook.New(private)
	if err != nil {
		panic(err)
	}
	receiver, err := webhook.New(public)
	if err != nil {
		panic(err)
	}
	header, err := sender.Sign("evt_1", time.Now(), []byte("{}"))
	if err != nil {
		panic(err)
	}
	fmt.Println(receiver.Verify(header, []byte("{}")))
	_, err = receiver.Sign("evt_1", time.Now(), []byte("{}"))
	fmt.Println(err)
	// Output:
	// <nil>
	// webhook: no key to sign with
}

// vault stands for a service that signs and never gives the key away.
type vault struct{ key ed25519.PrivateKey }

func (vault) Version() string { return webhook.VersionEd25519 }

func (v vault) Sign(_ context.Context, content []byte) ([]byte, error) {
	return ed25519.Sign(v.key, content), nil
}

// A key may stay where it is: whatever signs content is a Signer.
func ExampleSigner() {
	remote := vault{ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))}
	local, err := webhook.NewHMAC("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	if err != nil {
		panic(err)
	}
	list, err := webhook.Signatures(context.Background(), []webhook.Signer{local, remote}, "msg_p5jXN8AQM9LWM0D4loKWxJek",
		time.Unix(1614265330, 0), []byte(`{"test": 2432232314}`))
	if err != nil {
		panic(err)
	}
	for signature := range strings.FieldsSeq(list) {
		fmt.Println(signature[:10])
	}
	// Output:
	// v1,g0hM9Ss
	// v1a,UGKNwH
}

func ExamplePublicKey() {
	public, err := webhook.PublicKey("whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg==")
	fmt.Println(public, err)
	// Output: whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4= <nil>
}
