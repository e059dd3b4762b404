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
	keysOfPart     = 60
)

// held is a key, as those who sign with it and those who verify with it hold it.
type held struct {
	signer   webhook.Signer
	ours     *webhook.Webhook
	official *standardwebhooks.Webhook // of a shared secret
	public   ed25519.PublicKey         // of another
}

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

// key returns a random key to sign with, of one of the three forms; of ed25519 fewer, because they take long.
func (d dice) key() string {
	switch d.IntN(5) {
	case 0, 1:
		return "whsec_" + base64.StdEncoding.EncodeToString(d.bytes(1+d.IntN(64)))
	case 2, 3:
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
			keys := make([]held, keysOfPart)
			for i := range keys {
				keys[i] = hold(t, d.key())
			}
			for range deliveries / deliveryParts {
				deliver(t, d, keys)
			}
		})
	}
}

// hold gives a key to all who need it.
func hold(t *testing.T, key string) (h held) {
	t.Helper()
	var err error
	h.ours, err = webhook.New(key)
	require.NoError(t, err)
	if !strings.HasPrefix(key, "whsk_") {
		h.signer, err = webhook.NewHMAC(key)
		require.NoError(t, err)
		standard, err := webhook.StandardSecret(key)
		require.NoError(t, err)
		h.official, err = standardwebhooks.NewWebhook(standard)
		require.NoError(t, err)
		return h
	}
	h.signer, err = webhook.NewEd25519(key)
	require.NoError(t, err)
	public, err := webhook.PublicKey(key)
	require.NoError(t, err)
	h.public, err = base64.StdEncoding.DecodeString(strings.TrimPrefix(public, "whpk_"))
	require.NoError(t, err)
	return h
}

// deliver signs one random webhook with one to three of the keys, and has it verified by all who hold them.
func deliver(t *testing.T, d dice, keys []held) {
	t.Helper()
	id, body := d.id(), d.bytes(d.IntN(maxRandomBody+1))
	at, now := d.when()
	used := make([]held, 1+d.IntN(3))
	signers := make([]webhook.Signer, len(used))
	for i := range used {
		used[i] = keys[d.IntN(len(keys))]
		signers[i] = used[i].signer
	}
	list, err := webhook.Signatures(t.Context(), signers, id, at, body)
	require.NoError(t, err)
	header := http.Header{}
	header.Set("webhook-id", id)
	header.Set("webhook-timestamp", strconv.FormatInt(at.Unix(), 10))
	header.Set("webhook-signature", list)

	for _, key := range used {
		require.NoError(t, key.ours.VerifyAt(header, body, at))
		if key.official == nil {
			require.True(t, signedBy(t, key.public, header, body), "%q at %d with %d bytes: %s", id, at.Unix(), len(body), list)
			continue
		}
		verify := key.official.VerifyIgnoringTimestamp
		if now {
			verify = key.official.Verify
		}
		require.NoError(t, verify(body, header), "%q at %d with %d bytes: %s", id, at.Unix(), len(body), list)

		signature, err := key.official.Sign(id, at, body)
		require.NoError(t, err)
		theirs := header.Clone()
		theirs.Set("webhook-signature", signature)
		require.NoError(t, key.ours.VerifyAt(theirs, body, at))
	}
}

// signedBy checks v1a as the specification words it, with nothing of ours.
func signedBy(t *testing.T, public ed25519.PublicKey, header http.Header, body []byte) bool {
	t.Helper()
	content := fmt.Appendf(nil, "%s.%s.%s", header.Get("webhook-id"), header.Get("webhook-timestamp"), body)
	for one := range strings.SplitSeq(header.Get("webhook-signature"), " ") {
		text, ok := strings.CutPrefix(one, "v1a,")
		if !ok {
			continue
		}
		signature, err := base64.StdEncoding.DecodeString(text)
		require.NoError(t, err)
		if ed25519.Verify(public, content, signature) {
			return true
		}
	}
	return false
}
