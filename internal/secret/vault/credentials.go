package vault

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
)

// maxCredential is the largest file with a credential, in bytes.
const maxCredential = 64 << 10

// credentials are what one login sends: members to a path, or a token that needs no login.
type credentials struct {
	token   secret.Value
	path    string
	members map[string]secret.Value
	digest  [sha256.Size]byte // tells them, as they are given to us, from others
}

// gatherer collects credentials anew for every login: files change. It is used by one goroutine at a time.
type gatherer struct {
	cfg  Config
	wire wire
	// secretID is what the wrapping token of that print gave, once.
	secretID  secret.Value
	wrappedBy [sha256.Size]byte
}

// gather returns what is given to us. What is wrapped still is.
func (g *gatherer) gather() (credentials, error) {
	c := credentials{path: "auth/" + g.cfg.AuthMount + "/login", members: map[string]secret.Value{}}
	var err error
	switch g.cfg.Auth {
	case AuthToken:
		c.token, err = pick(g.cfg.Token, g.cfg.TokenFile)
		c.members["token"] = c.token
	case AuthAppRole:
		c.members["role_id"], err = pick(secret.NewValue(g.cfg.RoleID), g.cfg.RoleIDFile)
		if err == nil && (!g.cfg.SecretID.IsZero() || g.cfg.SecretIDFile != "") {
			c.members["secret_id"], err = pick(g.cfg.SecretID, g.cfg.SecretIDFile)
		}
	default:
		c.members["jwt"], err = pick(secret.Value{}, g.cfg.JWTFile)
		if g.cfg.Role != "" {
			c.members["role"] = secret.NewValue(g.cfg.Role)
		}
	}
	if err != nil {
		return credentials{}, err
	}
	for _, name := range []string{"token", "role_id", "secret_id", "role", "jwt"} {
		c.digest = sha256.Sum256(append(c.digest[:], c.members[name].Reveal()...))
	}
	return c, nil
}

// revealed is what is sent.
func (c credentials) revealed() map[string]string {
	members := make(map[string]string, len(c.members))
	for name, value := range c.members {
		members[name] = value.Reveal()
	}
	return members
}

// open unwraps the secret id of an AppRole, once; a new wrapping token in the file gives a new one.
func (g *gatherer) open(ctx context.Context, c credentials) error {
	by, ok := c.members["secret_id"]
	if !ok || !g.cfg.SecretIDWrapped {
		return nil
	}
	if c.digest != g.wrappedBy {
		id, err := g.unwrap(ctx, by)
		if err != nil {
			return err
		}
		g.secretID, g.wrappedBy = id, c.digest
	}
	c.members["secret_id"] = g.secretID
	return nil
}

// unwrap looks where a wrapping token comes from before it opens it, so that nobody makes us log in as who he likes: only
// Vault says of a token that a secret id of this mount is in it. A wrapping token opens once; one that is spent before we come
// has been opened by somebody else, and the error says so.
func (g *gatherer) unwrap(ctx context.Context, by secret.Value) (secret.Value, error) {
	spent := fmt.Errorf("%w: the wrapping token of the secret id is spent or has ended; if nobody of yours unwrapped it, somebody else has the secret id", secret.ErrDenied)
	a, err := g.wire.write(ctx, secret.Value{}, "sys/wrapping/lookup", map[string]string{"token": by.Reveal()})
	if err != nil {
		return secret.Value{}, err
	}
	if !a.ok() {
		if refused(a) {
			return secret.Value{}, spent
		}
		return secret.Value{}, a.refusal()
	}
	var about struct {
		CreationPath string `json:"creation_path"`
	}
	if err := a.into(&about); err != nil {
		return secret.Value{}, err
	}
	made := strings.TrimPrefix(about.CreationPath, strings.Trim(g.cfg.Namespace, "/")+"/")
	role, ours := strings.CutPrefix(made, "auth/"+g.cfg.AuthMount+"/role/")
	role, whole := strings.CutSuffix(role, "/secret-id")
	if !ours || !whole || role == "" || strings.Contains(role, "/") {
		return secret.Value{}, fmt.Errorf("%w: what is wrapped for us is no secret id of a role of auth/%s", secret.ErrDenied, g.cfg.AuthMount)
	}
	if a, err = g.wire.write(ctx, by, "sys/wrapping/unwrap", nil); err != nil {
		return secret.Value{}, err
	}
	if !a.ok() {
		if refused(a) {
			return secret.Value{}, spent
		}
		return secret.Value{}, a.refusal()
	}
	var held struct {
		SecretID string `json:"secret_id"`
	}
	if err := a.into(&held); err != nil {
		return secret.Value{}, err
	}
	if held.SecretID == "" {
		return secret.Value{}, fmt.Errorf("%w: no secret id was wrapped", secret.ErrDenied)
	}
	return secret.NewValue(held.SecretID), nil
}

// pick returns what is given directly, or else what a file holds, without the space around it.
func pick(direct secret.Value, file string) (secret.Value, error) {
	if file == "" {
		return direct, nil
	}
	f, err := os.Open(file) //nolint:gosec // where the operator says
	if err != nil {
		return secret.Value{}, fmt.Errorf("%w: logging in to vault: %w", secret.ErrUnavailable, err)
	}
	defer f.Close() //nolint:errcheck // it was only read
	text, err := io.ReadAll(io.LimitReader(f, maxCredential+1))
	defer clear(text)
	text = bytes.TrimSpace(text)
	switch {
	case err != nil:
		return secret.Value{}, fmt.Errorf("%w: logging in to vault: %w", secret.ErrUnavailable, err)
	case len(text) == 0:
		return secret.Value{}, fmt.Errorf("%w: logging in to vault: %s is empty", secret.ErrUnavailable, file)
	case len(text) > maxCredential:
		return secret.Value{}, fmt.Errorf("%w: logging in to vault: %s has more than %d bytes", secret.ErrUnavailable, file, maxCredential)
	}
	return secret.NewValue(string(text)), nil
}
