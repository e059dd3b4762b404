package installation

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/nats-io/nkeys"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/permissions"
)

// users makes a key for every user, and a new one for those that are to have one.
func (m *maker) users() (permissions.Keys, error) {
	keys := permissions.Keys{Public: map[string]string{}, API: map[string]string{}}
	for _, user := range m.installation.Names() {
		key, err := m.user(user)
		if err != nil {
			return keys, err
		}
		if keys.Public[user], err = publicKey([]byte(key.Seed.Reveal())); err != nil {
			return keys, err
		}
		if slices.Contains(m.installation.Prefixed(), user) {
			keys.API[user] = key.API.Reveal()
		}
	}
	return keys, nil
}

// user makes the key of one user, unless it is there and shall stay.
func (m *maker) user(user string) (bus.Key, error) {
	name := path.Join(usersDir, user+".nk")
	text, found, err := m.disk.read(name)
	if err != nil {
		return bus.Key{}, err
	}
	defer func() { clear(text) }()
	prefixed := slices.Contains(m.installation.Prefixed(), user)
	if found {
		key, err := bus.ParseKey(text)
		if err == nil && (key.User != user || key.API.IsZero() == prefixed) {
			err = errors.New("it is not the key of this user")
		}
		if err != nil {
			return key, fmt.Errorf("%s: %w: %w", path.Join(m.options.Dir, name), ErrNotOurs, err)
		}
		if !slices.Contains(m.options.Rotate, user) {
			return key, nil
		}
		clear(text)
	}
	seed, err := newSeed()
	if err != nil {
		return bus.Key{}, err
	}
	defer clear(seed)
	lines := []string{"# The key of a user of the bus. Whoever has this file is that user.", "# user: " + user}
	if prefixed {
		lines = append(lines, "# api: API."+hex.EncodeToString(random(16)))
	}
	text = append([]byte(strings.Join(lines, "\n")+"\n"), append(seed, '\n')...)
	if err := m.put(name, text, "the key of the user "+user); err != nil {
		return bus.Key{}, err
	}
	return bus.ParseKey(text)
}

// secrets makes the keys and passwords that are no users'.
func (m *maker) secrets() error {
	encoded := func() ([]byte, error) { return []byte(base64.StdEncoding.EncodeToString(random(32)) + "\n"), nil }
	for _, s := range []struct {
		name, what string
		make       func() ([]byte, error)
	}{
		{sealFile, "closes the signing keys that the dispatcher makes", encoded},
		{auditFile, "hides the names of secrets in the audit", encoded},
		{redisFile, "the password of Redis", func() ([]byte, error) { return []byte(rand.Text() + "\n"), nil }},
		{vaultFile, "the root token of the Vault of `make up VAULT=1`", func() ([]byte, error) { return []byte(rand.Text() + "\n"), nil }},
		{signingFile, "signs the replies of secretd", func() ([]byte, error) {
			seed, err := newSeed()
			return append(seed, '\n'), err
		}},
	} {
		if err := m.secret(s.name, s.what, s.make); err != nil {
			return err
		}
	}
	return m.put(signerFile, []byte("MLSDM_SECRETD_KEY="+m.signer+"\n"), "by which callers know the replies of secretd")
}

// secret makes one file with a secret, unless it is there.
func (m *maker) secret(name, what string, create func() ([]byte, error)) error {
	text, found, err := m.disk.read(name)
	if err != nil {
		return err
	}
	defer func() { clear(text) }()
	if !found {
		if text, err = create(); err != nil {
			return err
		}
		if err := m.put(name, text, what); err != nil {
			return err
		}
	}
	if len(bytes.TrimSpace(text)) == 0 {
		return fmt.Errorf("%s is empty: remove it, and it is made anew", path.Join(m.options.Dir, name))
	}
	if name == signingFile {
		if m.signer, err = publicKey(bytes.TrimSpace(text)); err != nil {
			return fmt.Errorf("%s: %w", path.Join(m.options.Dir, name), err)
		}
	}
	return nil
}

// newSeed makes an nkey and returns its private half.
func newSeed() ([]byte, error) {
	pair, err := nkeys.CreateUser()
	if err != nil {
		return nil, fmt.Errorf("making an nkey: %w", err)
	}
	defer pair.Wipe() // which wipes what Seed returns, too
	seed, err := pair.Seed()
	return bytes.Clone(seed), err
}

// publicKey returns the public half of an nkey.
func publicKey(seed []byte) (string, error) {
	pair, err := nkeys.FromSeed(seed)
	if err != nil {
		return "", errors.New("it holds no seed of an nkey")
	}
	defer pair.Wipe()
	return pair.PublicKey()
}

// random returns n random bytes.
func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails: it ends the process instead (crypto/rand)
	return b
}
