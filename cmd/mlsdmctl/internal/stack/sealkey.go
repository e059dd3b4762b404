package stack

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// sealKeyFile holds, beside the streams, the key that closes the signing keys which the dispatcher generates. Whoever has the
// folder has both; on a machine of one's own that is enough. Elsewhere WEBHOOK_SEAL_KEYS comes from a store of secrets.
const sealKeyFile = "webhook-seal.key"

// sealKey returns the key that is kept in dir, which is made when it is not there.
func sealKey(dir string) (string, error) {
	path := filepath.Join(dir, sealKeyFile)
	text, err := os.ReadFile(path)
	if err == nil {
		return strings.TrimSpace(string(text)), nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("the key of the dispatcher's signing keys, in the data folder: %w", err)
	}
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails: it ends the process instead (crypto/rand)
	encoded := base64.StdEncoding.EncodeToString(key)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("the key of the dispatcher's signing keys, in the data folder: %w", err)
	}
	if err := writeNew(path, encoded+"\n"); err != nil {
		return "", fmt.Errorf("the key of the dispatcher's signing keys, in the data folder: %w", err)
	}
	return encoded, nil
}

// writeNew makes a file that only its owner reads. It neither follows a link that somebody put there nor overwrites a key that
// another process was faster to make, and leaves no half of one behind.
func writeNew(path, text string) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = file.WriteString(text)
	if err = errors.Join(err, file.Close()); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}
