package secretd

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/secretd/internal/rules"
)

// Config is what an operator sets. Without rules nothing is given out.
type Config struct {
	File    string   `name:"secretd-config" env:"SECRETD_CONFIG" placeholder:"FILE" help:"YAML file that says where secrets are kept and who may have them. It is read again when it changes; a version that cannot be used leaves the one before in force."`
	Allow   []string `name:"secretd-allow" env:"SECRETD_ALLOW" placeholder:"NAME" help:"In the place of secretd-config: names of the secrets that may be asked for, such as openai_api_key (which the environment holds as OPENAI_API_KEY)."`
	Callers []string `name:"secretd-callers" env:"SECRETD_CALLERS" default:"ciwatch,embedder,generator,dispatcher" placeholder:"CALLER" help:"With secretd-allow: who may ask for them; * is every named caller. That a caller is who it says, NATS permissions have to see to."`
	Stores  []string `name:"secretd-stores" env:"SECRETD_STORES" placeholder:"STORE" help:"With secretd-allow: where to look, in this order: env, vault, aws, azure. Without it env, and then what is configured of the others."`

	TTL      time.Duration `name:"secretd-ttl" env:"SECRETD_TTL" default:"5m" placeholder:"DURATION" help:"How long a value is used before its store is asked again, 1s to 720h; secretd-config can say otherwise for a secret."`
	MaxStale time.Duration `name:"secretd-max-stale" env:"SECRETD_MAX_STALE" default:"1h" placeholder:"DURATION" help:"How old a value may become while its store cannot be asked, up to 720h; 0s uses none past its time."`

	SigningKey     secret.Value `name:"secretd-signing-key" env:"SECRETD_SIGNING_KEY" placeholder:"SEED" group:"Keys" help:"Seed of the nkey (SU…) that signs what is given out, by which callers know their secretd. Without it one is made at each start; replicas need the same."`
	SigningKeyFile string       `name:"secretd-signing-key-file" env:"SECRETD_SIGNING_KEY_FILE" placeholder:"FILE" group:"Keys" help:"File that holds it."`
	AuditKey       secret.Value `name:"secretd-audit-key" env:"SECRETD_AUDIT_KEY" placeholder:"BASE64" group:"Keys" help:"Base64 of 32 bytes with which names are hashed in the records of the audit. Without it one is made at each start, and the hashes cannot be compared over restarts and replicas."`
	AuditKeyFile   string       `name:"secretd-audit-key-file" env:"SECRETD_AUDIT_KEY_FILE" placeholder:"FILE" group:"Keys" help:"File that holds it."`

	Vault     Vault    `embed:"" group:"Vault"`
	AWSRegion string   `name:"aws-region" env:"AWS_REGION" placeholder:"REGION" group:"AWS" help:"Region of AWS Secrets Manager. Credentials come from where the AWS SDK looks for them."`
	AWSPrefix string   `name:"secretd-aws-prefix" env:"SECRETD_AWS_PREFIX" default:"mlsdm/" placeholder:"PREFIX" group:"AWS" help:"With secretd-allow: what stands before the name of each secret in Secrets Manager."`
	AzureURL  string   `name:"azure-vault-url" env:"AZURE_VAULT_URL" placeholder:"URL" group:"Azure" help:"Azure Key Vault, https://NAME.vault.azure.net. Credentials come from where the Azure SDK looks for them. With secretd-allow, the secret openai_api_key is openai-api-key there."`
	FileRoots []string `name:"secretd-file-roots" env:"SECRETD_FILE_ROOTS" default:"/run/secrets" placeholder:"DIR" group:"Files" help:"Folders below which files may be referred to as file:PATH."`
}

// defaultCallers is the default of Callers.
func defaultCallers() []string {
	return []string{events.ServiceCIWatch, events.ServiceEmbedder, events.ServiceGenerator, events.ServiceDispatcher}
}

// Bounds of the settings.
const (
	minTTL     = time.Second
	maxTime    = 30 * 24 * time.Hour
	maxKeyFile = 4 << 10
)

// Validate returns an error that names every setting that is wrong. The rules of a file are checked too, but not that the file can
// be read: that is so where the service runs.
func (c Config) Validate() error {
	var errs []error
	if c.File != "" && (len(c.Allow) > 0 || len(c.Stores) > 0 || !slices.Equal(c.Callers, defaultCallers()) && len(c.Callers) > 0) {
		errs = append(errs, errors.New("secretd-config stands beside secretd-allow, secretd-callers or secretd-stores: the file says all that these say; set the one or the others"))
	}
	for _, text := range c.Allow {
		if _, err := secret.ParseName(text); err != nil {
			errs = append(errs, fmt.Errorf("secretd-allow: %q is %w", text, err))
		}
	}
	for _, caller := range c.Callers {
		switch caller {
		case rules.Anyone:
		case events.DefaultCaller:
			errs = append(errs, fmt.Errorf("secretd-callers: %s is who has no name, and gets no secrets", events.DefaultCaller))
		default:
			if err := events.CheckToken("secretd-callers: "+caller, caller); err != nil {
				errs = append(errs, err)
			}
		}
	}
	if c.TTL < minTTL || c.TTL > maxTime {
		errs = append(errs, fmt.Errorf("secretd-ttl is %s; it must be %s to %s", c.TTL, minTTL, maxTime))
	}
	if c.MaxStale < 0 || c.MaxStale > maxTime {
		errs = append(errs, fmt.Errorf("secretd-max-stale is %s; it must be 0s to %s", c.MaxStale, maxTime))
	}
	if !c.SigningKey.IsZero() && c.SigningKeyFile != "" {
		errs = append(errs, errors.New("secretd-signing-key and secretd-signing-key-file are both set; set one"))
	}
	if !c.AuditKey.IsZero() && c.AuditKeyFile != "" {
		errs = append(errs, errors.New("secretd-audit-key and secretd-audit-key-file are both set; set one"))
	}
	return errors.Join(append(errs, c.checkStores())...)
}

// rules reads the rules that are in force: those of the file, or of the settings.
func (c Config) rules() (*rules.Rules, error) {
	if c.File != "" {
		return c.readRules()
	}
	names := make([]secret.Name, 0, len(c.Allow))
	for _, text := range c.Allow {
		name, err := secret.ParseName(text)
		if err != nil {
			return nil, fmt.Errorf("secretd-allow: %w", err)
		}
		names = append(names, name)
	}
	return rules.Simple(names, c.Callers, c.locate), nil
}

// readRules reads the file, and checks that the stores which it refers to are configured.
func (c Config) readRules() (*rules.Rules, error) {
	text, err := readBounded(c.File, rules.MaxFile)
	if err != nil {
		return nil, fmt.Errorf("secretd-config: %w", err)
	}
	r, err := rules.Parse(c.File, text)
	if err != nil {
		return nil, err
	}
	for _, store := range r.Stores() {
		if err := c.checkStore(store); err != nil {
			return nil, fmt.Errorf("%s refers to secrets in %s: %w", c.File, store, err)
		}
	}
	return r, nil
}

// key returns a key that is set directly or as a file; the zero value when it is neither.
func key(direct secret.Value, file string) (secret.Value, error) {
	if file == "" {
		return direct, nil
	}
	text, err := readBounded(file, maxKeyFile)
	if err != nil {
		return secret.Value{}, err
	}
	defer clear(text)
	return secret.NewValue(trimNewline(string(text))), nil
}

// trimNewline takes away what editors put at the end of a file.
func trimNewline(text string) string {
	for text != "" && (text[len(text)-1] == '\n' || text[len(text)-1] == '\r') {
		text = text[:len(text)-1]
	}
	return text
}

// readBounded reads a file that is not larger than most, in bytes.
func readBounded(path string, most int64) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > most {
		return nil, fmt.Errorf("%s is no file of at most %d bytes", path, most)
	}
	return os.ReadFile(path) //nolint:gosec // the operator names the file
}
