package main

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/neuron7x/mlsdm-integrations/internal/config"
	"github.com/neuron7x/mlsdm-integrations/internal/provision"
	"github.com/neuron7x/mlsdm-integrations/internal/service"
	"github.com/neuron7x/mlsdm-integrations/services"
)

// configuration generates docs/configuration.md.
func configuration(_ string, files map[string][]byte) error {
	var b bytes.Buffer
	b.WriteString(configurationIntro)
	common, err := service.CommonFields()
	if err != nil {
		return err
	}
	b.WriteString("\n## Every service\n")
	writeSettings(&b, common)
	for _, u := range services.Units() {
		fields, err := u.Fields()
		if err != nil {
			return err
		}
		fmt.Fprintf(&b, "\n## %s\n\n`%s` %s.\n", u.Name, u.Name, lowerFirst(strings.TrimSuffix(u.Summary, ".")))
		writeSettings(&b, fields)
	}
	for _, command := range []struct {
		name, does string
		cfg        any
	}{
		{"mlsdmctl up", "runs every service in one process on an embedded NATS server. The settings of the services apply too, as environment\nvariables or in the file.", &services.Up{}},
		{"mlsdmctl provision", "makes the streams, consumers and buckets. `mlsdmctl up` does the same by itself, with the defaults.", &provision.Config{}},
	} {
		fields, err := config.Fields(command.cfg)
		if err != nil {
			return err
		}
		fmt.Fprintf(&b, "\n## %s\n\n`%s` %s\n", command.name, command.name, command.does)
		writeSettings(&b, fields)
	}
	files["docs/configuration.md"] = b.Bytes()
	return nil
}

const configurationIntro = `# Configuration

<!-- Generated from the settings of the services by ` + "`make generate`" + `; do not edit. -->

A setting comes from the command line (` + "`--nats-url …`" + `), else from the environment (` + "`NATS_URL=…`" + `), else from the file, else it
has its default. A variable that is set to nothing counts as not set. Lists are separated by commas; durations are
written ` + "`90s`, `15m`, `1h30m`" + `.

The file is YAML, named by ` + "`--config`" + ` or ` + "`MLSDM_CONFIG`" + `, and one for all services: its keys are the names below, a section named
after a service holds what is meant for that service alone, and nested keys are joined with ` + "`-`" + `.

` + "```yaml" + `
nats-url: nats://bus:4222
log: {level: debug}        # the same as log-level: debug
dispatcher:
  admin-addr: :9091
` + "```" + `

Every service has ` + "`--help`, `--version`, `--print-config`" + ` (what is in effect, secrets redacted), ` + "`--check-config`" + ` (0 if it can be
used, else 1, with what is wrong) and ` + "`--health`" + ` (0 if the running service is ready). A secret is never printed and never
logged.

## References

In the place of a secret, a reference to one can stand, so that no secret has to be in a file or an environment:

| | is asked of |
|---|---|
| ` + "`secret:NAME`" + ` | secretd, which knows where the secret of that name is kept |
| ` + "`vault:PATH#FIELD@VERSION`, `aws:PATH#FIELD@STAGE`, `azure:NAME@VERSION`" + ` | secretd, if its policy lets the service use references; field and version may be left out |
| ` + "`env:VARIABLE`" + ` | the environment of the service |
| ` + "`file:/path`" + ` | the file, without the line break at its end; it is read again when it changes |

A service that cannot have its secrets when it starts waits, is not ready, and says what is missing. While it runs, it asks again
every ` + "`secret-refresh`" + `, and at once when secretd says that a secret was rotated: API keys, tokens and passwords of a cache are used
anew with the next request, and a key that a provider refuses is asked for once more before a request fails. The dispatcher takes
` + "`webhook-url`, `webhook-secret` (beside which the one before signs for another 24 hours), `webhook-proxy` and `webhook-seal-keys`" + ` over
within a second; what cannot be used leaves what was in force, and makes it ` + "`degraded`" + `. What was last known is used for as long as secretd cannot be asked; what it takes away is used no more. Before a service has the bus, and in
secretd itself, only ` + "`env:` and `file:`" + ` can be had: ` + "`nats-password`, `nats-token`" + `, and everything of secretd. A secret that itself begins as
a reference does has to stand in a file.
`

// writeSettings writes one table for each group of settings.
func writeSettings(b *bytes.Buffer, fields []config.Field) {
	var groups []string
	for _, f := range fields {
		if !slices.Contains(groups, f.Group) {
			groups = append(groups, f.Group)
		}
	}
	if len(fields) == 0 {
		b.WriteString("\nIt has no settings of its own.\n")
	}
	for _, group := range groups {
		if group != "" {
			fmt.Fprintf(b, "\n### %s\n", group)
		}
		b.WriteString("\n| setting | environment | default | |\n|---|---|---|---|\n")
		for _, f := range fields {
			if f.Group == group {
				b.WriteString(settingRow(f))
			}
		}
	}
}

// settingRow writes one setting as a row of a table.
func settingRow(f config.Field) string {
	envs := make([]string, len(f.Env))
	for i, env := range f.Env {
		envs[i] = code(env)
	}
	help := f.Help
	if len(f.Enum) > 0 && !strings.Contains(strings.ReplaceAll(help, ", ", ","), strings.Join(f.Enum, ",")) {
		help += " One of " + strings.Join(f.Enum, ", ") + "."
	}
	if f.Secret {
		help += " **Secret.**"
	}
	value := ""
	switch {
	case f.Required:
		value = "required"
	case f.Default != "":
		value = code(f.Default)
	}
	return row(code(f.Name), strings.Join(envs, ", "), value, help)
}

// row writes one row of a Markdown table.
func row(cells ...string) string {
	for i, cell := range cells {
		cells[i] = strings.ReplaceAll(cell, "|", `\|`)
	}
	return "| " + strings.Join(cells, " | ") + " |\n"
}

// code marks a text as code.
func code(s string) string {
	if s == "" {
		return ""
	}
	return "`" + s + "`"
}

// lowerFirst makes a sentence the end of another.
func lowerFirst(s string) string {
	if s == "" {
		return ""
	}
	return strings.ToLower(s[:1]) + s[1:]
}
