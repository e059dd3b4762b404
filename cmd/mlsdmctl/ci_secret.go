package main

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strings"
)

// ciWebhookSecretCommand makes a secret for webhooks.
type ciWebhookSecretCommand struct {
	Forge      string `enum:"github,gitlab" default:"github" placeholder:"KIND" help:"For which kind of forge: github or gitlab."`
	SecretFile string `placeholder:"FILE" help:"Write the secret to this new file, which only you may read, instead of to the standard output."`
}

// Help shows examples.
func (ciWebhookSecretCommand) Help() string {
	return "32 random bytes in hex. It is printed this once, alone on the standard output; where it belongs stands on the standard error. No server\n" +
		"is asked, and nothing is set anywhere.\n\n" +
		"  mlsdmctl ci webhook-secret\n" +
		"  mlsdmctl ci webhook-secret --forge gitlab --secret-file gitlab-webhooks.key\n" +
		"  mlsdmctl ci webhook-secret --json | jq -r .secret"
}

// webhookSecretBytes is how long the secret is: as long as what HMAC-SHA-256 puts out.
const webhookSecretBytes = 32

// toldWebhookSecret is a secret with what else a forge has to be told, for machines.
type toldWebhookSecret struct {
	Forge       string   `json:"forge"`
	Secret      string   `json:"secret,omitempty"`
	SecretFile  string   `json:"secret_file,omitempty"`
	Path        string   `json:"path"`
	ContentType string   `json:"content_type"`
	Events      []string `json:"events"`
}

// Run implements the command.
func (s ciWebhookSecretCommand) Run(c *connection, t terminal) error {
	random := make([]byte, webhookSecretBytes)
	_, _ = rand.Read(random) // it never fails
	secret := hex.EncodeToString(random)
	told := toldWebhookSecret{Forge: s.Forge, Path: "/" + s.Forge + "/webhooks", ContentType: "application/json"}
	told.Events = []string{"workflow_run", "workflow_job"}
	if s.Forge == "gitlab" {
		told.Events = []string{"Pipeline Hook", "Job Hook"}
	}
	if s.SecretFile != "" {
		if err := writeSecret(s.SecretFile, secret); err != nil {
			return err
		}
		told.SecretFile = s.SecretFile
	} else {
		told.Secret = secret
	}
	if c.JSON {
		return printJSON(t, told)
	}
	if told.Secret != "" {
		if _, err := fmt.Fprintln(t.out, secret); err != nil {
			return err
		}
	}
	_, err := fmt.Fprint(t.err, told.steps())
	return err
}

// writeSecret writes a secret to a new file.
func writeSecret(name, secret string) error {
	sink, err := secretFlags{SecretFile: name}.open()
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintln(sink.file, secret); err != nil {
		_ = sink.file.Close() // the other error says more
		return fmt.Errorf("--secret-file: %w", err)
	}
	if err := sink.file.Close(); err != nil {
		return fmt.Errorf("--secret-file: %w", err)
	}
	return nil
}

// steps says where the secret belongs.
func (w toldWebhookSecret) steps() string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	if w.SecretFile != "" {
		line("The secret is in %s.", printable(w.SecretFile))
	} else {
		line("This is the secret of the webhooks; it is shown this once.")
	}
	if w.Forge == "gitlab" {
		line("GitLab:  Settings → Webhooks → Add new webhook, of the project or the group")
		line("         URL            https://YOUR-HOST%s", w.Path)
		line("         Secret token   the secret")
		line("         Trigger        Pipeline events, Job events")
		line("ciwatch: in the file that CI_CONFIG names, the reference to where you keep it:")
	} else {
		line("GitHub:  Settings → Webhooks → Add webhook, of the repository or the organisation")
		line("         Payload URL    https://YOUR-HOST%s", w.Path)
		line("         Content type   %s", w.ContentType)
		line("         Secret         the secret")
		line("         Events         Let me select individual events: Workflow runs, Workflow jobs")
		line("ciwatch: GITHUB_WEBHOOK_SECRET, the secret or a reference to where you keep it. Or, in the file that CI_CONFIG names:")
	}
	line("         forges: [{name: %s, webhook_secrets: [\"secret:%s_webhooks\"], …}]", w.Forge, w.Forge)
	line("To change a secret, put the new one before the old one in webhook_secrets, then change it at the forge, then take the old one out.")
	return b.String()
}
