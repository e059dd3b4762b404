package interop_test

import (
	"crypto/ed25519"
	crand "crypto/rand"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/pkg/webhook"
)

// How many random deliveries there are, and in how many parts they run.
const (
	deliveries     = 10_000
	deliveryParts  = 4
	maxRandomBody  = 64 << 10
	maxRandomIDLen = 64
)

// dice make random deliveries.
type dice struct {
	*rand.Rand

	noise []byte // what bodies are cut from
}

func newDice(t *testing.T) dice {
	t.Helper()
	var seed [32]byte
	_, err := crand.Read(seed[:])
	require.NoError(t, err)
	t.Logf("seed %x", seed)
	source := rand.NewChaCha8(seed)
	noise := make([]byte, 2*maxRandomBody)
	_, err = source.Read(noise)
	require.NoError(t, err)
	return dice{rand.New(source), noise}
}

// bytes returns n random bytes.
func (d dice) bytes(n int) []byte {
	from := d.IntN(len(d.noise) - n + 1)
	return d.noise[from : from+n]
}

// id returns a random id: 1 to 64 printable ASCII characters but the full stop.
func (d dice) id() string {
	var b strings.Builder
	for range 1 + d.IntN(maxRandomIDLen) {
		c := byte('!' + d.IntN('~'-'!'+1))
		if c == '.' {
			c = '_'
		}
		b.WriteByte(c)
	}
	return b.String()
}

// key returns a random key to sign with, of one of the three forms.
func (d dice) key() string {
	switch d.IntN(3) {
	case 0:
		return "whsec_" + base64.StdEncoding.EncodeToString(d.bytes(1+d.IntN(64)))
	case 1:
		return base64.RawURLEncoding.EncodeToString(d.bytes(1 + d.IntN(64))) // a text as any other, whatever it looks like
	default:
		return "whsk_" + base64.StdEncoding.EncodeToString(ed25519.NewKeyFromSeed(d.bytes(ed25519.SeedSize)))
	}
}

// when returns a random time: half of them now, as the official library knows it, and half between 1970 and 2100.
func (d dice) when() (at time.Time, now bool) {
	if d.IntN(2) == 0 {
		return time.Now().Add(time.Duration(d.IntN(480)-240) * time.Second), true
	}
	return time.Unix(d.Int64N(4_102_444_800), d.Int64N(1_000_000_000)), false
}

// TestOfficialLibraryAcceptsWhatWeSign sends random webhooks, each with one to three keys, to receivers who hold one of
// these: the official library of Standard Webhooks for shared secrets, and a check that is written out here for ed25519,
// which that library does not know.
func TestOfficialLibraryAcceptsWhatWeSign(t *testing.T) {
	t.Parallel()
	for part := range deliveryParts {
		t.Run(strconv.Itoa(part), func(t *testing.T) {
			t.Parallel()
			d := newDice(t)
			for range deliveries / deliveryParts {
				deliver(t, d)
			}
		})
	}
}

// deliver signs one random webhook and has it verified by all who hold a key.
func deliver(t *testing.T, d dice) {
	t.Helper()
	id, body := d.id(), d.bytes(d.IntN(maxRandomBody+1))
	at, now := d.when()
	keys := make([]string, 1+d.IntN(3))
	signers := make([]webhook.Signer, len(keys))
	for i := range keys {
		keys[i] = d.key()
		signers[i] = signer(t, keys[i])
	}
	list, err := webhook.Signatures(t.Context(), signers, id, at, body)
	require.NoError(t, err)
	header := http.Header{}
	header.Set("webhook-id", id)
	header.Set("webhook-timestamp", strconv.FormatInt(at.Unix(), 10))
	header.Set("webhook-signature", list)

	for _, key := range keys {
		ours, err := webhook.New(key)
		require.NoError(t, err)
		require.NoError(t, ours.VerifyAt(header, body, at))
		if strings.HasPrefix(key, "whsk_") {
			require.True(t, signedWith(t, key, header, body), "%q at %d with %d bytes: %s", id, at.Unix(), len(body), list)
			continue
		}
		official := official(t, key)
		if now {
			require.NoError(t, official.Verify(body, header))
		}
		require.NoError(t, official.VerifyIgnoringTimestamp(body, header), "%q at %d with %d bytes: %s", id, at.Unix(), len(body), list)
		require.Error(t, official.VerifyIgnoringTimestamp(append([]byte("x"), body...), header))

		signature, err := official.Sign(id, at, body)
		require.NoError(t, err)
		theirs := header.Clone()
		theirs.Set("webhook-signature", signature)
		require.NoError(t, ours.VerifyAt(theirs, body, at))
	}
}

// signer returns the signer of a key.
func signer(t *testing.T, key string) webhook.Signer {
	t.Helper()
	if strings.HasPrefix(key, "whsk_") {
		s, err := webhook.NewEd25519(key)
		require.NoError(t, err)
		return s
	}
	s, err := webhook.NewHMAC(key)
	require.NoError(t, err)
	return s
}

// official returns the official library with a shared secret of any form.
func official(t *testing.T, key string) *standardwebhooks.Webhook {
	t.Helper()
	standard, err := webhook.StandardSecret(key)
	require.NoError(t, err)
	hook, err := standardwebhooks.NewWebhook(standard)
	require.NoError(t, err)
	return hook
}

// signedWith checks v1a as the specification words it, with nothing of ours but the public key.
func signedWith(t *testing.T, private string, header http.Header, body []byte) bool {
	t.Helper()
	public, err := webhook.PublicKey(private)
	require.NoError(t, err)
	raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(public, "whpk_"))
	require.NoError(t, err)
	content := fmt.Appendf(nil, "%s.%s.%s", header.Get("webhook-id"), header.Get("webhook-timestamp"), body)
	for one := range strings.SplitSeq(header.Get("webhook-signature"), " ") {
		text, ok := strings.CutPrefix(one, "v1a,")
		if !ok {
			continue
		}
		signature, err := base64.StdEncoding.DecodeString(text)
		require.NoError(t, err)
		if ed25519.Verify(raw, content, signature) {
			return true
		}
	}
	return false
}
