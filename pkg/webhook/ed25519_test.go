package webhook_test

import (
	"crypto/ed25519"
	"encoding/base64"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/neuron7x/mlsdm-integrations/pkg/webhook"
)

// The published example of v1a, of Svix's server.
const (
	privateKey = "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg=="
	publicKey  = "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4="
	asymmetric = "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg=="
)

// example is the webhook that both vector 1 and the v1a vector sign.
func example(signatures string) (http.Header, []byte, time.Time) {
	v := vectors()[0]
	return headers(v.id, strconv.FormatInt(v.timestamp, 10), signatures), []byte(v.body), time.Unix(v.timestamp, 0)
}

func TestAsymmetricVector(t *testing.T) {
	t.Parallel()
	header, body, at := example(asymmetric)
	seed := "whsk_" + base64.StdEncoding.EncodeToString(decode(t, privateKey)[:ed25519.SeedSize])
	for _, key := range []string{privateKey, publicKey, seed} {
		hook := newWebhook(t, key)
		wantError(t, hook.VerifyAt(header, body, at), nil)
		wantError(t, hook.VerifyAt(header, append([]byte(" "), body...), at), webhook.ErrNoMatch)
		wantError(t, hook.VerifyAt(header, body, at.Add(time.Hour)), webhook.ErrTooOld)
		if key == publicKey {
			continue
		}
		signed := mustSign(t, hook, vectors()[0].id, at, body)
		if got := signed.Get(webhook.HeaderSignature); got != asymmetric {
			t.Errorf("signature %q, want %q", got, asymmetric)
		}
		if _, there := signed[webhook.HeaderBodySignature]; there || hook.SignBody(body) != "" {
			t.Error("the body is signed, for which there is no shared secret")
		}
		public, err := webhook.PublicKey(key)
		wantError(t, err, nil)
		if public != publicKey {
			t.Errorf("public key %q, want %q", public, publicKey)
		}
	}
}

func TestAsymmetricSignatureList(t *testing.T) {
	t.Parallel()
	bare := strings.TrimPrefix(asymmetric, "v1a,")
	raw := decode(t, asymmetric)
	other := mustSign(t, newWebhook(t, "whsk_"+base64.StdEncoding.EncodeToString(make([]byte, 32))), vectors()[0].id, time.Unix(vectors()[0].timestamp, 0), []byte(vectors()[0].body))
	bad := other.Get(webhook.HeaderSignature)
	// s + L is another form of the same signature, which ed25519 must refuse: signatures would not be unique.
	order := []byte{0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 31: 0x10}
	malleable, carry := slices.Clone(raw), 0
	for i := range order {
		sum := int(malleable[32+i]) + int(order[i]) + carry
		malleable[32+i], carry = byte(sum), sum>>8
	}
	tests := []struct {
		name, signatures string
		want             error
	}{
		{"good", asymmetric, nil},
		{"of another key", bad, webhook.ErrNoMatch},
		{"as v1", "v1," + bare, webhook.ErrNoMatch},
		{"as an unknown version", "v2a," + bare, webhook.ErrNoMatch},
		{"upper-case version", "V1A," + bare, webhook.ErrNoMatch},
		{"empty", "v1a,", webhook.ErrNoMatch},
		{"cut short", asymmetric[:len(asymmetric)-4], webhook.ErrNoMatch},
		{"without padding", strings.TrimRight(asymmetric, "="), webhook.ErrNoMatch},
		{"loose padding bits", asymmetric[:len(asymmetric)-3] + "h==", webhook.ErrNoMatch},
		{"trailing bytes", "v1a," + base64.StdEncoding.EncodeToString(append(slices.Clone(raw), 0)), webhook.ErrNoMatch},
		{"URL-safe base64", strings.NewReplacer("+", "-", "/", "_").Replace(asymmetric), webhook.ErrNoMatch},
		{"the other form of it", "v1a," + base64.StdEncoding.EncodeToString(malleable), webhook.ErrNoMatch},
		{"all zeros", "v1a," + base64.StdEncoding.EncodeToString(make([]byte, 64)), webhook.ErrNoMatch},
		{"several, one good", strings.Join([]string{badSignature, bad, "v2," + bare, asymmetric, bad}, " "), nil},
		{"as many as are taken", strings.Repeat(bad+" ", 7) + asymmetric, nil},
		{"more than are taken", strings.Repeat(bad+" ", 8) + asymmetric, webhook.ErrInvalidHeader},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			header, body, at := example(tt.signatures)
			wantError(t, newWebhook(t, publicKey).VerifyAt(header, body, at), tt.want)
		})
	}
}

func TestKeysOfBothKinds(t *testing.T) {
	t.Parallel()
	symmetric := vectors()[0]
	hook := newWebhook(t, "another secret", publicKey, symmetric.secret)
	for signatures, want := range map[string]webhook.Match{
		asymmetric:                             {Key: 1, Version: webhook.VersionEd25519},
		symmetric.signature:                    {Key: 2, Version: webhook.VersionHMAC},
		badSignature + " " + asymmetric:        {Key: 1, Version: webhook.VersionEd25519},
		symmetric.signature + " " + asymmetric: {Key: 1, Version: webhook.VersionEd25519},
	} {
		header, body, at := example(signatures)
		match, err := hook.Match(header, body, at)
		wantError(t, err, nil)
		if match != want {
			t.Errorf("%q is matched by %+v, want %+v", signatures, match, want)
		}
	}
	// A public key is no secret: whoever knows it must not be able to sign as if it were one.
	for _, text := range []string{publicKey, privateKey} {
		forged := headers(symmetric.id, strconv.FormatInt(symmetric.timestamp, 10), "")
		secret := "whsec_" + base64.StdEncoding.EncodeToString([]byte(text))
		forged = mustSign(t, newWebhook(t, secret), forged.Get(webhook.HeaderID), time.Unix(symmetric.timestamp, 0), []byte(symmetric.body))
		wantError(t, newWebhook(t, text).VerifyAt(forged, []byte(symmetric.body), time.Unix(symmetric.timestamp, 0)), webhook.ErrNoMatch)
		wantError(t, newWebhook(t, text).VerifyBody(forged, []byte(symmetric.body)), webhook.ErrNoMatch)
	}
}

func TestNoMatchTellsVersions(t *testing.T) {
	t.Parallel()
	for key, signatures := range map[string]string{publicKey: vectors()[0].signature, "a secret": asymmetric, "another": "v2,abc"} {
		header, body, at := example(signatures)
		err := newWebhook(t, key).VerifyAt(header, body, at)
		wantError(t, err, webhook.ErrNoMatch)
		if err != nil && !strings.Contains(err.Error(), "version") {
			t.Errorf("the error does not tell that it is the version: %v", err)
		}
	}
}

func TestPublicKeysDoNotSign(t *testing.T) {
	t.Parallel()
	_, err := newWebhook(t, publicKey).Sign("msg_1", time.Now(), nil)
	wantError(t, err, webhook.ErrCannotSign)
	header := mustSign(t, newWebhook(t, publicKey, privateKey), "msg_1", time.Now(), nil)
	wantError(t, newWebhook(t, publicKey).Verify(header, nil), nil)
}

func TestAsymmetricKeys(t *testing.T) {
	t.Parallel()
	text := func(prefix string, raw []byte) string { return prefix + base64.StdEncoding.EncodeToString(raw) }
	private := decode(t, privateKey)
	foreign := slices.Clone(private) // its public half is not that of its seed: signing with it would give the seed away
	foreign[63] ^= 1
	off := make([]byte, 32) // y = 2 is on no point of the curve
	off[0] = 2
	for _, key := range []string{
		"whsk_", "whsk_!", text("whsk_", private[:31]), text("whsk_", private[:33]), text("whsk_", append(slices.Clone(private), 0)),
		text("whsk_", foreign), strings.TrimRight(privateKey, "="), privateKey + "\n",
		"whpk_", "whpk_!", text("whpk_", private[:31]), text("whpk_", private), text("whpk_", off), publicKey + " ",
	} {
		_, err := webhook.New(key)
		wantError(t, err, webhook.ErrInvalidSecret)
		if err != nil && len(key) > 8 && strings.Contains(err.Error(), key[5:]) {
			t.Errorf("the error quotes the key: %v", err)
		}
		_, err = webhook.NewEd25519(key)
		wantError(t, err, webhook.ErrInvalidSecret)
		_, err = webhook.PublicKey(key)
		wantError(t, err, webhook.ErrInvalidSecret)
	}
	for _, key := range []string{publicKey, "whsec_YWJj", "any text", ""} {
		_, err := webhook.NewEd25519(key)
		wantError(t, err, webhook.ErrInvalidSecret)
	}
	for _, key := range []string{publicKey, privateKey} {
		_, err := webhook.NewHMAC(key)
		wantError(t, err, webhook.ErrInvalidSecret)
		_, err = webhook.StandardSecret(key)
		wantError(t, err, webhook.ErrInvalidSecret)
	}
}

// TestKeysThatAnyoneSignsFor: for a public key of small order anyone can find signatures, as the test shows for the one
// that a setting nobody filled in decodes to. All eight such points are refused, in every form that ed25519 reads.
func TestKeysThatAnyoneSignsFor(t *testing.T) {
	t.Parallel()
	zero := make([]byte, 32)
	forged := make([]byte, 64)
	forged[0] = 1 // R is the neutral point, s is 0
	found := false
	for i := range 100 {
		found = found || ed25519.Verify(zero, []byte(strconv.Itoa(i)), forged)
	}
	if !found {
		t.Error("nothing could be forged: is the check still needed?")
	}
	p := []byte{0xed, 30: 0xff, 31: 0x7f}
	for i := 1; i < 30; i++ {
		p[i] = 0xff
	}
	with := func(raw []byte, i int, b byte) []byte { raw = slices.Clone(raw); raw[i] = b; return raw }
	order8 := decode(t, "x,xxdqcD1N2E+6PAt2DRBnDyogU/osOczGTsf9d5KsA3o=")
	order8b := decode(t, "x,JuiVj8KyJ7BFw/SJ8u+Y8NXfrAXTxjM5sTgCiG1T/AU=")
	for _, raw := range [][]byte{
		zero, with(zero, 0, 1), with(p, 0, 0xec), order8, order8b,
		p, with(p, 0, 0xee), // 0 and 1, with p added
	} {
		for _, sign := range []byte{0, 0x80} {
			key := with(raw, 31, raw[31]|sign)
			_, err := webhook.New("whpk_" + base64.StdEncoding.EncodeToString(key))
			wantError(t, err, webhook.ErrInvalidSecret)
		}
	}
}

func TestGenerateKeyPair(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for range 64 { // half of all points have the sign bit, so both kinds are among them
		private, public := webhook.GenerateKeyPair()
		if seen[private] {
			t.Fatal("the same key twice")
		}
		seen[private] = true
		if len(decode(t, private)) != 64 || len(decode(t, public)) != 32 {
			t.Errorf("%d and %d bytes", len(decode(t, private)), len(decode(t, public)))
		}
		derived, err := webhook.PublicKey(private)
		wantError(t, err, nil)
		if derived != public {
			t.Errorf("public key %q, want %q", derived, public)
		}
		header := mustSign(t, newWebhook(t, private), "msg_1", time.Now(), []byte("x"))
		wantError(t, newWebhook(t, public).Verify(header, []byte("x")), nil)
		wantError(t, newWebhook(t, publicKey).Verify(header, []byte("x")), webhook.ErrNoMatch)
	}
}

// decode returns the bytes of a key or a signature.
func decode(t testing.TB, text string) []byte {
	t.Helper()
	raw, err := base64.StdEncoding.DecodeString(text[strings.IndexAny(text, "_,")+1:])
	if err != nil {
		t.Fatal(err)
	}
	return raw
}
