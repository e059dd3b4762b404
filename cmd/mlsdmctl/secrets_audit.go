package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// secretsAuditCommand shows records of the audit.
type secretsAuditCommand struct {
	Since    time.Duration `default:"24h" placeholder:"DURATION" help:"How far back."`
	Asker    string        `name:"asker" placeholder:"CALLER" help:"Only what this caller asked."`
	Outcome  string        `placeholder:"WORD" help:"Only this outcome: given, or the code of an error, such as permission_denied."`
	Name     string        `placeholder:"NAME" help:"Only this secret; needs the audit key."`
	AuditKey secret.Value  `name:"audit-key" env:"SECRETD_AUDIT_KEY" placeholder:"KEY" help:"The installation's audit key (base64), with which names were hashed."`
	Limit    int           `default:"1000" help:"How many at most, the last ones; 0 for all."`
}

// Help shows examples.
func (secretsAuditCommand) Help() string {
	return "Records hold an HMAC in the place of the name, so that who reads them learns no names; with the audit key one name can be looked for.\n" +
		"On a closed bus only the user admin may read them.\n\n" +
		"  mlsdmctl secrets audit --since 1h\n" +
		"  mlsdmctl secrets audit --outcome permission_denied --since 720h\n" +
		"  SECRETD_AUDIT_KEY=… mlsdmctl secrets audit --name openai_api_key --json"
}

// Run implements the command.
func (a secretsAuditCommand) Run(ctx context.Context, c *connection, t terminal) error {
	hash, err := a.nameHash()
	if err != nil {
		return err
	}
	b, err := c.bus(ctx, t)
	if err != nil {
		return err
	}
	defer b.Close(ctx) //nolint:errcheck // everything has been read by then
	var records []events.SecretAccess
	unreadable := 0 // one of those must not hide the others
	scan := bus.ScanConfig{Stream: b.Subjects().StreamName(events.StreamAudit), Subjects: []string{b.Subjects().AuditSecrets()}, FromTime: time.Now().Add(-a.Since)}
	err = b.Scan(ctx, scan, func(m *bus.Message) (bool, error) {
		var record events.SecretAccess
		if json.Unmarshal(m.Body, &record) != nil || record.Time.IsZero() {
			unreadable++
			return true, nil //nolint:nilerr // it is counted
		}
		if a.wants(record, hash) {
			records = append(records, record)
			if a.Limit > 0 && len(records) > a.Limit {
				records = records[1:]
			}
		}
		return true, nil
	})
	if err != nil {
		return err
	}
	if unreadable > 0 {
		fmt.Fprintf(t.err, "%d messages in the audit's stream cannot be read as records\n", unreadable)
	}
	if c.JSON {
		return printJSON(t, append([]events.SecretAccess{}, records...))
	}
	w := tabwriter.NewWriter(t.out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "TIME\tCALLER\tOPERATION\tOUTCOME\tSOURCE\tVERSION\tMS\tNAME (HMAC)")
	for _, r := range records {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%.1f\t%.16s\n", r.Time.Local().Format(time.DateTime), printable(r.Caller), printable(r.Operation),
			printable(r.Outcome), orDash(printable(r.Source)), orDash(printable(r.Version)), r.LatencyMS, orDash(printable(r.NameHash)))
	}
	return w.Flush()
}

// wants reports whether a record is one of those that are looked for.
func (a secretsAuditCommand) wants(r events.SecretAccess, hash string) bool {
	return (a.Asker == "" || a.Asker == r.Caller) && (a.Outcome == "" || a.Outcome == r.Outcome) && (hash == "" || hash == r.NameHash)
}

// nameHash is what records have in the place of the name that is looked for.
func (a secretsAuditCommand) nameHash() (string, error) {
	if a.Name == "" {
		return "", nil
	}
	key, err := base64.StdEncoding.DecodeString(a.AuditKey.Reveal())
	if err != nil || len(key) == 0 {
		return "", &usageError{errors.New("--name needs the audit key, in base64: --audit-key or SECRETD_AUDIT_KEY")}
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(a.Name))
	return hex.EncodeToString(mac.Sum(nil)), nil
}
