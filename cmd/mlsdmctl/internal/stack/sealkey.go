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

// Keys that are kept beside the streams: one closes the signing keys which the dispatcher generates, the other hides the names in
// the audit of secrets. Whoever has the folder has both what they close and them; on a machine of one's own that is enough.
// Elsewhere they come from `mlsdmctl init` or from a store of secrets.
const (
	sealKeyFile  = "webhook-seal.key"
	auditKeyFile = "secretd-audit.key"
)

// keptKey returns the key that a file in dir holds, 32 random bytes in base64; it is made when it is not there.
func keptKey(dir, name string) (string, error) {
	path := filepath.Join(dir, name)
	text, err := os.ReadFile(path)
	if err == nil {
		return strings.TrimSpace(string(text)), nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("the key %s in the data folder: %w", name, err)
	}
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails: it ends the process instead (crypto/rand)
	encoded := base64.StdEncoding.EncodeToString(key)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("the key %s in the data folder: %w", name, err)
	}
	if err := writeNew(path, encoded+"\n"); err != nil {
		return "", fmt.Errorf("the key %s in the data folder: %w", name, err)
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
