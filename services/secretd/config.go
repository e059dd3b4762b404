package secretd

import (
	"errors"
	"fmt"
	"slices"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/internal/secret/azure"
	"github.com/neuron7x/mlsdm-integrations/internal/secret/vault"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Config is what an operator sets. Without a list of names nothing is given out.
type Config struct {
	Allow   []string `name:"secretd-allow" env:"SECRETD_ALLOW" placeholder:"NAME" help:"Names of the secrets that may be asked for, such as openai_api_key (which the environment holds as OPENAI_API_KEY). Without it none."`
	Callers []string `name:"secretd-callers" env:"SECRETD_CALLERS" default:"ciwatch,embedder,generator,dispatcher" placeholder:"CALLER" help:"Who may ask for them; * is every named caller. That a caller is who it says, NATS permissions have to see to."`
	Stores  []string `name:"secretd-stores" env:"SECRETD_STORES" placeholder:"STORE" help:"Where to look, in this order: env, vault, aws, azure. Without it env, and then what is configured of the others. A store that has no such secret passes on to the next; one that fails does not."`

	VaultAddr     string       `name:"vault-addr" env:"VAULT_ADDR" placeholder:"URL" group:"Vault" help:"Vault or OpenBao. What else its client reads, such as VAULT_CACERT and VAULT_NAMESPACE, holds too."`
	VaultToken    secret.Value `name:"vault-token" env:"VAULT_TOKEN" placeholder:"TOKEN" group:"Vault" help:"Token that may read below the path."`
	VaultMount    string       `name:"secretd-vault-mount" env:"SECRETD_VAULT_MOUNT" default:"secret" placeholder:"PATH" group:"Vault" help:"Where the KV engine is mounted."`
	VaultPath     string       `name:"secretd-vault-path" env:"SECRETD_VAULT_PATH" default:"mlsdm" placeholder:"PATH" group:"Vault" help:"Path in the engine below which each secret has an entry of its name, with a field value or a single other one."`
	VaultKV       int          `name:"secretd-vault-kv" env:"SECRETD_VAULT_KV" default:"2" placeholder:"1|2" group:"Vault" help:"Version of the KV engine."`
	AWSRegion     string       `name:"aws-region" env:"AWS_REGION" placeholder:"REGION" group:"AWS" help:"Region of AWS Secrets Manager. Credentials come from where the AWS SDK looks for them."`
	AWSPrefix     string       `name:"secretd-aws-prefix" env:"SECRETD_AWS_PREFIX" default:"mlsdm/" placeholder:"PREFIX" group:"AWS" help:"What stands before the name of each secret in Secrets Manager."`
	AzureVaultURL string       `name:"azure-vault-url" env:"AZURE_VAULT_URL" placeholder:"URL" group:"Azure" help:"Azure Key Vault, https://NAME.vault.azure.net. Credentials come from where the Azure SDK looks for them. The secret openai_api_key is openai-api-key there."`
}

// Names of the stores.
const (
	storeEnv   = "env"
	storeVault = "vault"
	storeAWS   = "aws"
	storeAzure = "azure"
)

// anyCaller allows every caller that has a name.
const anyCaller = "*"

// Validate returns an error that names every setting that is wrong.
func (c Config) Validate() error {
	var errs []error
	for _, text := range c.Allow {
		if _, err := secret.ParseName(text); err != nil {
			errs = append(errs, fmt.Errorf("secretd-allow: %q is %w", text, err))
		}
	}
	for _, caller := range c.Callers {
		switch caller {
		case anyCaller:
		case events.DefaultCaller:
			errs = append(errs, fmt.Errorf("secretd-callers: %s is who has no name, and gets no secrets", events.DefaultCaller))
		default:
			if err := events.CheckToken("secretd-callers: "+caller, caller); err != nil {
				errs = append(errs, err)
			}
		}
	}
	return errors.Join(append(errs, c.checkStores())...)
}

// checkStores checks that the stores which are named are known, configured and named once. What is set of a store that is
// not asked does not matter: VAULT_ADDR may stand in the environment for somebody else.
func (c Config) checkStores() error {
	var errs []error
	for i, name := range c.Stores {
		var missing string
		switch name {
		case storeEnv:
		case storeVault:
			missing = missingSetting(c.VaultAddr, "vault-addr")
		case storeAWS:
			missing = missingSetting(c.AWSRegion, "aws-region")
		case storeAzure:
			missing = missingSetting(c.AzureVaultURL, "azure-vault-url")
		default:
			errs = append(errs, fmt.Errorf("secretd-stores: %q is no store; there are env, vault, aws and azure", name))
		}
		if missing != "" {
			errs = append(errs, fmt.Errorf("secretd-stores: %s needs %s", name, missing))
		}
		if slices.Contains(c.Stores[:i], name) {
			errs = append(errs, fmt.Errorf("secretd-stores: %s stands there twice", name))
		}
	}
	if c.VaultAddr != "" && slices.Contains(c.order(), storeVault) {
		if err := c.vault().Validate(); err != nil {
			errs = append(errs, fmt.Errorf("vault-addr and its settings: %w", err))
		}
	}
	if c.AzureVaultURL != "" && slices.Contains(c.order(), storeAzure) {
		if err := c.azure().Validate(); err != nil {
			errs = append(errs, fmt.Errorf("azure-vault-url: %w", err))
		}
	}
	return errors.Join(errs...)
}

// missingSetting returns the name of a setting that has no value.
func missingSetting(value, name string) string {
	if value == "" {
		return name
	}
	return ""
}

// order is where to look, in which order. Where nothing may be given out, nobody is asked: a VAULT_ADDR that is there for
// other programs must not keep the service, and a whole stack with it, from starting.
func (c Config) order() []string {
	if len(c.Stores) > 0 {
		return c.Stores
	}
	order := []string{storeEnv}
	if len(c.Allow) == 0 {
		return order
	}
	for _, other := range []struct{ name, setting string }{
		{storeVault, c.VaultAddr}, {storeAWS, c.AWSRegion}, {storeAzure, c.AzureVaultURL},
	} {
		if other.setting != "" {
			order = append(order, other.name)
		}
	}
	return order
}

// vault is the part of the configuration that says how to reach Vault.
func (c Config) vault() vault.Config {
	return vault.Config{Addr: c.VaultAddr, Token: c.VaultToken, Mount: c.VaultMount, Path: c.VaultPath, KVVersion: c.VaultKV}
}

// allows reports whether a caller may have a secret.
func (c Config) allows(caller string, name secret.Name) bool {
	known := slices.Contains(c.Callers, caller) || slices.Contains(c.Callers, anyCaller) && caller != events.DefaultCaller
	return known && slices.Contains(c.Allow, name.String())
}

// azure is the part of the configuration that says which Key Vault it is.
func (c Config) azure() azure.Config { return azure.Config{VaultURL: c.AzureVaultURL} }
