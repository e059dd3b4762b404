// Package natsctx reads the contexts of the `nats` command line tool, so that mlsdmctl reaches the same servers with the
// same credentials.
//
// The format is that of github.com/nats-io/jsm.go/natscontext; that package itself would bring a NATS server and an
// expression engine along for two small files.
package natsctx

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
)

// Context is what a context file says, as far as it is understood here.
type Context struct {
	Name     string       `json:"-"`
	URL      string       `json:"url"`
	Token    secret.Value `json:"token"`
	User     string       `json:"user"`
	Password secret.Value `json:"password"`
	Creds    string       `json:"creds"`
	NKey     string       `json:"nkey"`
	Cert     string       `json:"cert"`
	Key      string       `json:"key"`
	CA       string       `json:"ca"`

	// What is not understood is refused when it is set, never ignored.
	SocksProxy string `json:"socks_proxy"`
	NSC        string `json:"nsc"`
	UserJWT    string `json:"user_jwt"`
	TLSFirst   bool   `json:"tls_first"`
	WinCert    string `json:"windows_cert_store"`
}

// ErrNone is returned by [Load] when no context is named and none is selected.
var ErrNone = errors.New("no NATS context is selected")

// Load reads the named context, or the selected one when name is empty, below the user's configuration folder as env
// gives it ($XDG_CONFIG_HOME/nats, else $HOME/.config/nats).
func Load(name string, env func(string) string) (Context, error) {
	dir := env("XDG_CONFIG_HOME")
	if dir == "" {
		home := env("HOME")
		if home == "" {
			return Context{}, ErrNone
		}
		dir = filepath.Join(home, ".config")
	}
	dir = filepath.Join(dir, "nats")
	if name == "" {
		selected, err := os.ReadFile(filepath.Join(dir, "context.txt"))
		if errors.Is(err, fs.ErrNotExist) || err == nil && strings.TrimSpace(string(selected)) == "" {
			return Context{}, ErrNone
		}
		if err != nil {
			return Context{}, fmt.Errorf("the selected NATS context: %w", err)
		}
		name = strings.TrimSpace(string(selected))
	}
	if name != filepath.Base(name) || name == "." || name == ".." {
		return Context{}, fmt.Errorf("%q is not the name of a NATS context", name)
	}
	text, err := os.ReadFile(filepath.Join(dir, "context", name+".json"))
	if errors.Is(err, fs.ErrNotExist) {
		return Context{}, fmt.Errorf("there is no NATS context %q (`nats context ls` lists them)", name)
	}
	if err != nil {
		return Context{}, fmt.Errorf("NATS context %q: %w", name, err)
	}
	c := Context{Name: name}
	if err := json.Unmarshal(text, &c); err != nil {
		return Context{}, fmt.Errorf("NATS context %q is not readable: %w", name, err)
	}
	for setting, set := range map[string]bool{
		"socks_proxy": c.SocksProxy != "", "nsc": c.NSC != "", "user_jwt": c.UserJWT != "", "tls_first": c.TLSFirst,
		"windows_cert_store": c.WinCert != "",
	} {
		if set {
			return Context{}, fmt.Errorf("NATS context %q uses %s, which mlsdmctl does not know: give --server and the credentials instead", name, setting)
		}
	}
	return c, nil
}
