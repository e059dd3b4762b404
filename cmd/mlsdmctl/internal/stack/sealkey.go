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
	if err := os.WriteFile(path, []byte(encoded+"\n"), 0o600); err != nil {
		return "", fmt.Errorf("the key of the dispatcher's signing keys, in the data folder: %w", err)
	}
	return encoded, nil
}
