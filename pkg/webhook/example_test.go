package webhook_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/neuron7x/mlsdm-integrations/pkg/webhook"
)

// A receiver verifies a webhook before it believes a byte of it.
func Example() {
	hook, err := webhook.New("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	if err != nil {
		panic(err)
	}
	receiver := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := hook.Read(r, 1<<20)
		if err != nil {
			http.Error(w, "not signed by us", http.StatusUnauthorized)
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

	request.Body = http.NoBody // not what was signed
	answer = httptest.NewRecorder()
	receiver.ServeHTTP(answer, request)
	fmt.Println(answer.Code)
	// Output:
	// evt_1: {"type":"ci.degraded"}
	// 204
	// 401
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
