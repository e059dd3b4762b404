package webhook_test

import (
	"strings"
	"testing"

	"github.com/neuron7x/mlsdm-integrations/pkg/webhook"
)

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
