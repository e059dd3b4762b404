package events_test

import (
	"reflect"
	"testing"
	"time"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// What is signed is another text whenever anything of the reply is another, the place of a boundary included.
func TestSignedSecretIsOfOneReplyOnly(t *testing.T) {
	t.Parallel()
	reply := events.SecretResponse{
		Name: "name", Source: "vault", Version: "7", FetchedAt: time.Date(2026, 11, 23, 10, 0, 0, 1, time.UTC), Stale: true, Alg: events.SealXKey,
		Nonce: "0123456789abcdef", SenderKey: "XABC", Sealed: []byte("sealed"), SignerKey: "UABC", Signature: []byte("signature"),
	}
	seen := map[string]string{string(events.SignedSecret("caller", "XKEY", reply)): "as it is"}
	add := func(what string, signed []byte) {
		t.Helper()
		if other, twice := seen[string(signed)]; twice {
			t.Errorf("%s is signed as %s is", what, other)
		}
		seen[string(signed)] = what
	}
	add("another caller", events.SignedSecret("callerX", "KEY", reply))
	add("another key", events.SignedSecret("caller", "XKEZ", reply))
	for i, field := range reflect.VisibleFields(reflect.TypeOf(reply)) {
		if field.Name == "Signature" {
			continue
		}
		other := reply
		value := reflect.ValueOf(&other).Elem().Field(i)
		value.Set(reflect.Zero(value.Type()))
		add("another "+field.Name, events.SignedSecret("caller", "XKEY", other))
	}
	shifted := reply
	shifted.Name, shifted.Source = "nam", "evault"
	add("another boundary", events.SignedSecret("caller", "XKEY", shifted))
	other := reply
	other.Signature, other.FetchedAt = nil, reply.FetchedAt.In(time.FixedZone("there", 7200))
	wantEqual(t, "without the signature, and in another time zone", string(events.SignedSecret("caller", "XKEY", other)),
		string(events.SignedSecret("caller", "XKEY", reply)))
	wantEqual(t, "written down", string(events.SecretContext("c", "n", "")),
		"\x00\x00\x00\x00\x00\x00\x00\x14mlsdm.secret.hpke.v1\x00\x00\x00\x00\x00\x00\x00\x01c\x00\x00\x00\x00\x00\x00\x00\x01n\x00\x00\x00\x00\x00\x00\x00\x00")
}
