package bus

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
)

// Key is what a file with an nkey seed holds. NATS itself looks for the seed only; the rest stands in lines of comment,
// as `mlsdmctl init` writes them:
//
//	# user: admin
//	# api: ADMIN.…API
//	SU…
type Key struct {
	// Seed is the private half (it begins with SU).
	Seed secret.Value
	// User is whose key it is; empty when the file does not say. The user's inboxes are _INBOX_<user>.>.
	User string
	// API is where this user reaches JetStream's API, where that is not its usual place. It is as secret as the seed.
	API secret.Value
}

// maxKeyFile bounds a file with a seed, in bytes.
const maxKeyFile = 64 << 10

// ReadKey reads a file with an nkey seed. Its errors hold nothing of the content.
func ReadKey(path string) (Key, error) {
	file, err := os.Open(path) //nolint:gosec // the operator names it
	if err != nil {
		return Key{}, err
	}
	defer file.Close() //nolint:errcheck // it was only read
	text, err := io.ReadAll(io.LimitReader(file, maxKeyFile+1))
	if err != nil {
		return Key{}, err
	}
	defer clear(text)
	if len(text) > maxKeyFile {
		return Key{}, fmt.Errorf("%s is larger than %d bytes: it holds no nkey seed", path, maxKeyFile)
	}
	key, err := ParseKey(text)
	if err != nil {
		return Key{}, fmt.Errorf("%s: %w", path, err)
	}
	return key, nil
}

// ParseKey reads the text of a key file, which may also be a credentials file. Its errors hold nothing of it.
func ParseKey(text []byte) (Key, error) {
	pair, err := nkeys.ParseDecoratedUserNKey(text)
	if err != nil {
		return Key{}, errors.New("it holds no seed of an nkey user (a line that begins with SU)")
	}
	defer pair.Wipe()
	seed, err := pair.Seed()
	if err != nil {
		return Key{}, errors.New("its seed cannot be read")
	}
	key := Key{Seed: secret.NewValue(string(seed))}
	clear(seed)
	for line := range bytes.Lines(text) {
		comment, found := strings.CutPrefix(strings.TrimSpace(string(line)), "# ")
		if !found {
			continue
		}
		if user, found := strings.CutPrefix(comment, "user: "); found && inboxToken(user) == user {
			key.User = user
		}
		if api, found := strings.CutPrefix(comment, "api: "); found && checkSubject(api) == nil {
			key.API = secret.NewValue(api)
		}
	}
	return key, nil
}

// option logs in with the key. The seed is in memory in the clear only while a server's nonce is signed.
func (k Key) option() (nats.Option, error) {
	pair, err := nkeys.FromSeed([]byte(k.Seed.Reveal()))
	if err != nil {
		return nil, errors.New("the nkey seed cannot be used: it should begin with SU")
	}
	defer pair.Wipe()
	public, err := pair.PublicKey()
	if err != nil {
		return nil, errors.New("the nkey seed cannot be used: it should begin with SU")
	}
	sign := func(nonce []byte) ([]byte, error) {
		pair, err := nkeys.FromSeed([]byte(k.Seed.Reveal()))
		if err != nil {
			return nil, err
		}
		defer pair.Wipe()
		return pair.Sign(nonce)
	}
	return nats.Nkey(public, sign), nil
}
