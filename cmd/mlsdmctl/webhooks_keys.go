package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/neuron7x/mlsdm-integrations/cmd/mlsdmctl/internal/hookcheck"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
)

// webhookKeys are the flags that say which keys verify webhooks.
type webhookKeys struct {
	Secret     []secret.Value `sep:"none" group:"Keys" placeholder:"KEY" help:"A key: whsec_ and base64, any other text, or whpk_ and base64. Others on this machine may see it: prefer one of the next."`
	SecretEnv  []string       `sep:"none" group:"Keys" placeholder:"NAME" help:"Environment variable that holds a key; WEBHOOK_SECRET without any of these."`
	SecretFile []string       `sep:"none" group:"Keys" placeholder:"FILE" help:"File that holds a key, on one line."`
	PublicKey  []string       `sep:"none" group:"Keys" placeholder:"KEY" help:"A public key: whpk_ and base64."`
}

// defaultSecretEnv is where the dispatcher finds its secret.
const defaultSecretEnv = "WEBHOOK_SECRET"

// maxKeyFile bounds a file that holds a key, in bytes.
const maxKeyFile = 4 << 10

// errNoKeys means that there is nothing to verify with.
var errNoKeys = errors.New("no key to verify with: give --secret-env NAME, --secret-file FILE, --public-key KEY or --secret KEY, or set " + defaultSecretEnv)

// read returns the keys. The error is errNoKeys when there are none; it never quotes a key.
func (k webhookKeys) read(t terminal) ([]hookcheck.Key, error) {
	var keys []hookcheck.Key
	add := func(name, text string) error {
		if text == "" {
			return fmt.Errorf("%s is empty", name)
		}
		keys = append(keys, hookcheck.Key{Name: name, Text: secret.NewValue(text)})
		return nil
	}
	for i, key := range k.Secret {
		if err := add(numbered("--secret", i, len(k.Secret)), key.Reveal()); err != nil {
			return nil, err
		}
	}
	for _, name := range k.SecretEnv {
		value, ok := t.lookup(name)
		if !ok {
			return nil, fmt.Errorf("--secret-env: there is no variable %s in the environment", name)
		}
		if err := add(name, value); err != nil {
			return nil, err
		}
	}
	for _, name := range k.SecretFile {
		text, err := readBounded(name, maxKeyFile, t)
		if err != nil {
			return nil, fmt.Errorf("--secret-file: %w", err)
		}
		if err := add(name, strings.TrimRight(string(text), "\r\n")); err != nil {
			return nil, err
		}
	}
	for i, key := range k.PublicKey {
		name := numbered("--public-key", i, len(k.PublicKey))
		if !strings.HasPrefix(key, "whpk_") {
			return nil, fmt.Errorf("%s does not start with whpk_", name)
		}
		if err := add(name, key); err != nil {
			return nil, err
		}
	}
	if value, ok := t.lookup(defaultSecretEnv); len(keys) == 0 && ok && value != "" {
		return keys, add(defaultSecretEnv, value)
	}
	if len(keys) == 0 {
		return nil, errNoKeys
	}
	return keys, nil
}

// numbered tells apart flags that are given more than once.
func numbered(flag string, i, of int) string {
	if of == 1 {
		return flag
	}
	return flag + " " + strconv.Itoa(i+1)
}

// readBounded reads a file of at most n bytes, - being the standard input.
func readBounded(name string, n int64, t terminal) ([]byte, error) {
	in := t.in
	if name != "-" {
		file, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer file.Close() //nolint:errcheck // it was only read
		in = file
	}
	data, err := io.ReadAll(io.LimitReader(in, n+1))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	if int64(len(data)) > n {
		return nil, fmt.Errorf("%s has more than the %d bytes that are read", name, n)
	}
	return data, nil
}
