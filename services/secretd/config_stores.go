package secretd

import (
	"errors"
	"fmt"
	"log/slog"
	"path"
	"slices"

	"go.opentelemetry.io/otel/trace"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/internal/secret/azure"
	"github.com/neuron7x/mlsdm-integrations/internal/secret/env"
	"github.com/neuron7x/mlsdm-integrations/internal/secret/file"
	"github.com/neuron7x/mlsdm-integrations/internal/secret/vault"
)

// Vault says where HashiCorp Vault, or OpenBao, is and how to log in to it.
type Vault struct {
	Addr      string `name:"vault-addr" env:"VAULT_ADDR" placeholder:"URL" help:"Vault or OpenBao. What else its client reads, such as VAULT_CACERT, holds too."`
	Namespace string `name:"vault-namespace" env:"VAULT_NAMESPACE" placeholder:"NAME" help:"Namespace of Vault Enterprise or OpenBao."`
	Mount     string `name:"secretd-vault-mount" env:"SECRETD_VAULT_MOUNT" default:"secret" placeholder:"PATH" help:"Where the KV engine is mounted, below which references without a slash at their start lead."`
	Path      string `name:"secretd-vault-path" env:"SECRETD_VAULT_PATH" default:"mlsdm" placeholder:"PATH" help:"With secretd-allow: path in the engine below which each secret has an entry of its name, with a single field."`
	KV        int    `name:"secretd-vault-kv" env:"SECRETD_VAULT_KV" default:"0" placeholder:"0|1|2" help:"Version of the KV engine; 0 asks Vault."`

	Auth            string       `name:"secretd-vault-auth" env:"SECRETD_VAULT_AUTH" default:"token" placeholder:"METHOD" help:"How to log in: token, approle, kubernetes or jwt."`
	AuthMount       string       `name:"secretd-vault-auth-mount" env:"SECRETD_VAULT_AUTH_MOUNT" placeholder:"PATH" help:"Where that method is mounted below auth/; without it at its name."`
	Token           secret.Value `name:"vault-token" env:"VAULT_TOKEN" placeholder:"TOKEN" help:"For token: the token."`
	TokenFile       string       `name:"vault-token-file" env:"VAULT_TOKEN_FILE" placeholder:"FILE" help:"For token: the file that holds it, such as the sink of a Vault agent; it is read again when the token is refused."`
	Role            string       `name:"secretd-vault-role" env:"SECRETD_VAULT_ROLE" placeholder:"NAME" help:"For kubernetes and jwt: the role."`
	RoleID          string       `name:"secretd-vault-role-id" env:"SECRETD_VAULT_ROLE_ID" placeholder:"ID" help:"For approle: the role id."`
	RoleIDFile      string       `name:"secretd-vault-role-id-file" env:"SECRETD_VAULT_ROLE_ID_FILE" placeholder:"FILE" help:"For approle: the file that holds it."`
	SecretID        secret.Value `name:"secretd-vault-secret-id" env:"SECRETD_VAULT_SECRET_ID" placeholder:"ID" help:"For approle: the secret id."`
	SecretIDFile    string       `name:"secretd-vault-secret-id-file" env:"SECRETD_VAULT_SECRET_ID_FILE" placeholder:"FILE" help:"For approle: the file that holds it."`
	SecretIDWrapped bool         `name:"secretd-vault-secret-id-wrapped" env:"SECRETD_VAULT_SECRET_ID_WRAPPED" help:"For approle: what is set is a wrapping token, which gives the secret id once."`
	JWTFile         string       `name:"secretd-vault-jwt-file" env:"SECRETD_VAULT_JWT_FILE" placeholder:"FILE" help:"For jwt and kubernetes: the file that holds the token; for kubernetes the service account's without it."`
}

// config is the same for the store.
func (v Vault) config(log *slog.Logger, tracer trace.TracerProvider) vault.Config {
	return vault.Config{
		Addr: v.Addr, Namespace: v.Namespace, Mount: v.Mount, KVVersion: v.KV, Auth: v.Auth, AuthMount: v.AuthMount,
		Token: v.Token, TokenFile: v.TokenFile, Role: v.Role, RoleID: v.RoleID, RoleIDFile: v.RoleIDFile,
		SecretID: v.SecretID, SecretIDFile: v.SecretIDFile, SecretIDWrapped: v.SecretIDWrapped, JWTFile: v.JWTFile, Log: log, Tracer: tracer,
	}
}

// checkStores checks that the stores of secretd-stores are known, configured and named once. What is set of a store that is not
// asked does not matter: VAULT_ADDR may stand in the environment for somebody else.
func (c Config) checkStores() error {
	var errs []error
	for i, name := range c.Stores {
		switch name {
		case secret.StoreEnv, secret.StoreVault, secret.StoreAWS, secret.StoreAzure:
			if slices.Contains(c.Stores[:i], name) {
				errs = append(errs, fmt.Errorf("secretd-stores: %s stands there twice", name))
			}
		default:
			errs = append(errs, fmt.Errorf("secretd-stores: %q is no store that can be looked through; there are env, vault, aws and azure", name))
		}
	}
	if c.File != "" {
		return errors.Join(errs...)
	}
	for _, name := range c.order() {
		if err := c.checkStore(name); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", name, err))
		}
	}
	return errors.Join(errs...)
}

// checkStore checks that a store is configured.
func (c Config) checkStore(name string) error {
	switch name {
	case secret.StoreVault:
		if c.Vault.Addr == "" {
			return errors.New("vault-addr is not set")
		}
		if err := c.Vault.config(nil, nil).Validate(); err != nil {
			return fmt.Errorf("vault-addr and its settings: %w", err)
		}
	case secret.StoreAWS:
		if c.AWSRegion == "" {
			return errors.New("aws-region is not set")
		}
	case secret.StoreAzure:
		if c.AzureURL == "" {
			return errors.New("azure-vault-url is not set")
		}
		if err := (azure.Config{VaultURL: c.AzureURL}).Validate(); err != nil {
			return fmt.Errorf("azure-vault-url: %w", err)
		}
	case secret.StoreFile:
		if err := file.Validate(c.FileRoots); err != nil {
			return fmt.Errorf("secretd-file-roots: %w", err)
		}
	}
	return nil
}

// order is where to look with secretd-allow, in which order. Where nothing may be given out, nobody is asked: a VAULT_ADDR that is
// there for other programs must not keep the service, and a whole stack with it, from starting.
func (c Config) order() []string {
	if len(c.Stores) > 0 {
		return c.Stores
	}
	order := []string{secret.StoreEnv}
	if len(c.Allow) == 0 {
		return order
	}
	for _, other := range []struct{ name, setting string }{
		{secret.StoreVault, c.Vault.Addr}, {secret.StoreAWS, c.AWSRegion}, {secret.StoreAzure, c.AzureURL},
	} {
		if other.setting != "" {
			order = append(order, other.name)
		}
	}
	return order
}

// locate says where a secret is looked for with secretd-allow.
func (c Config) locate(name secret.Name) []secret.Ref {
	var refs []secret.Ref
	for _, store := range c.order() {
		ref := secret.Ref{Store: store}
		switch store {
		case secret.StoreVault:
			ref.Path = path.Join(c.Vault.Path, name.String())
		case secret.StoreAWS:
			ref.Path = c.AWSPrefix + name.String()
		case secret.StoreAzure:
			ref.Path = azure.KeyName(name)
		default:
			ref.Path = env.Variable(name)
		}
		refs = append(refs, ref)
	}
	return refs
}
