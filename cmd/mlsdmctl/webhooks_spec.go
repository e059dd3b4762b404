package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// endpointFlags describe an endpoint on the command line. What is not given is nil: it is not changed.
type endpointFlags struct {
	Events         []string       `name:"event" sep:"none" placeholder:"PATTERN" help:"Event types wanted, for example 'ci.*'; give it several times for several. Without any, all."`
	Filter         *string        `placeholder:"CEL" help:"Only events for which this expression is true, for example 'data.score < 0.3'."`
	Format         *string        `placeholder:"FORMAT" help:"Body: standard, cloudevents or mlsdm."`
	Headers        []string       `name:"header" sep:"none" placeholder:"NAME=VALUE" help:"Header to send along; a value like secret:NAME refers to a secret. NAME= takes it back."`
	Sign           []string       `sep:"none" placeholder:"METHOD[=REF]" help:"Signing key: v1 (HMAC) or v1a (ed25519), generated, or kept elsewhere: v1=secret:NAME. Several sign all at once."`
	BodySignature  *bool          `negatable:"" help:"Send X-Webhook-Signature too, for receivers of the Python client."`
	Retry          []string       `placeholder:"SCHEDULE" help:"fast, standard, or waits between attempts: 5s,1m,1h."`
	AttemptTimeout *time.Duration `placeholder:"DURATION" help:"How long one attempt may take, up to 5m."`
	Rate           *string        `placeholder:"N[/BURST]" help:"Attempts a second, and how many at once after a pause. 0 is no bound."`
	Concurrency    *int           `placeholder:"N" help:"Attempts at one time. 0 is no bound."`
	Description    *string        `placeholder:"TEXT" help:"For people."`
	Metadata       []string       `sep:"none" placeholder:"NAME=VALUE" help:"For you. NAME= takes it back."`
	CA             *string        `name:"ca" placeholder:"FILE" help:"Authorities that may sign the receiver's certificate (PEM)."`
	Cert           *string        `placeholder:"FILE" help:"Client certificate for mutual TLS (PEM)."`
	Key            *string        `placeholder:"REF" help:"Reference to the key of --cert, for example secret:NAME."`
	ServerName     *string        `placeholder:"HOST" help:"Name in the receiver's certificate, when it is not the URL's host."`
}

// patch returns the fields that are given, by their names in the contract; nil takes one back. The file and the text behind
// the flags are read.
func (f endpointFlags) patch() (map[string]any, error) {
	fields := make(map[string]any)
	setText(fields, "filter", f.Filter)
	setText(fields, "format", f.Format)
	setText(fields, "description", f.Description)
	setList(fields, "events", f.Events)
	setList(fields, "retry", f.Retry)
	if f.BodySignature != nil {
		fields["body_signature"] = *f.BodySignature
	}
	if f.AttemptTimeout != nil {
		fields["timeout"] = f.AttemptTimeout.String()
	}
	if f.Concurrency != nil {
		fields["concurrency"] = *f.Concurrency
	}
	return fields, errors.Join(
		setTable(fields, "headers", "--header", f.Headers), setTable(fields, "metadata", "--metadata", f.Metadata),
		f.setSigning(fields), f.setRate(fields), f.setTLS(fields),
	)
}

// setText sets a field to a text; the empty one takes it back.
func setText(fields map[string]any, name string, value *string) {
	switch {
	case value == nil:
	case *value == "":
		fields[name] = nil
	default:
		fields[name] = *value
	}
}

// setList sets a field to a list; a single empty entry takes it back.
func setList(fields map[string]any, name string, values []string) {
	switch {
	case len(values) == 1 && values[0] == "":
		fields[name] = nil
	case len(values) > 0:
		fields[name] = values
	}
}

// setTable sets entries of a field, each given as NAME=VALUE.
func setTable(fields map[string]any, name, flag string, entries []string) error {
	if len(entries) == 0 {
		return nil
	}
	table := make(map[string]any, len(entries))
	for _, entry := range entries {
		key, value, ok := strings.Cut(entry, "=")
		if !ok || key == "" {
			return fmt.Errorf("%s takes NAME=VALUE, not %q", flag, oneLine(entry, 40))
		}
		if _, twice := table[key]; twice {
			return fmt.Errorf("%s gives %s twice", flag, oneLine(key, 40))
		}
		table[key] = nil
		if value != "" {
			table[key] = value
		}
	}
	fields[name] = table
	return nil
}

// setSigning reads METHOD[=REF].
func (f endpointFlags) setSigning(fields map[string]any) error {
	var keys []events.EndpointSigning
	for _, entry := range f.Sign {
		method, ref, given := strings.Cut(entry, "=")
		if method != events.SignHMAC && method != events.SignEd25519 {
			return fmt.Errorf("--sign takes v1 or v1a, alone or with a reference as in v1=secret:NAME, not %q", oneLine(method, 40))
		}
		if given {
			if err := checkReference("--sign", ref); err != nil {
				return err
			}
		}
		keys = append(keys, events.EndpointSigning{Method: method, Key: ref})
	}
	if keys != nil {
		fields["signing"] = keys
	}
	return nil
}

// checkReference refuses what is no reference, so that nobody types a secret where a reference belongs. It is not repeated.
func checkReference(flag, ref string) error {
	for _, scheme := range []string{"secret:", "env:"} {
		if name, ok := strings.CutPrefix(ref, scheme); ok && name != "" {
			return nil
		}
	}
	return fmt.Errorf("%s takes a reference to a secret, secret:NAME or env:NAME, and never the secret itself", flag)
}

// setRate reads N[/BURST].
func (f endpointFlags) setRate(fields map[string]any) error {
	if f.Rate == nil {
		return nil
	}
	number, burst, hasBurst := strings.Cut(*f.Rate, "/")
	perSecond, err := strconv.ParseFloat(number, 64)
	rate := events.EndpointRate{PerSecond: perSecond}
	if err == nil && hasBurst {
		rate.Burst, err = strconv.Atoi(burst)
	}
	if err != nil || !(perSecond >= 0 && perSecond <= events.MaxEndpointRate) {
		return fmt.Errorf("--rate takes attempts a second, as 50 or 0.5, and behind a slash how many at once, as 50/100; not %q", oneLine(*f.Rate, 40))
	}
	fields["rate_limit"] = nil
	if perSecond > 0 {
		fields["rate_limit"] = map[string]any{"per_second": rate.PerSecond, "burst": nil}
		if rate.Burst != 0 {
			fields["rate_limit"] = map[string]any{"per_second": rate.PerSecond, "burst": rate.Burst}
		}
	}
	return nil
}

// setTLS reads the files. An empty value takes a field back.
func (f endpointFlags) setTLS(fields map[string]any) error {
	tls := make(map[string]any)
	for name, file := range map[string]*string{"ca": f.CA, "certificate": f.Cert} {
		if file == nil {
			continue
		}
		tls[name] = nil
		if *file != "" {
			text, err := readPEM(*file)
			if err != nil {
				return err
			}
			tls[name] = text
		}
	}
	if f.Key != nil && *f.Key != "" {
		if err := checkReference("--key", *f.Key); err != nil {
			return err
		}
	}
	setText(tls, "key", f.Key)
	setText(tls, "server_name", f.ServerName)
	if len(tls) > 0 {
		fields["tls"] = tls
	}
	return nil
}

// readPEM reads a file of certificates.
func readPEM(name string) (string, error) {
	file, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer file.Close() //nolint:errcheck // only read
	text, err := io.ReadAll(io.LimitReader(file, events.MaxEndpointPEM+1))
	if err != nil {
		return "", err
	}
	if len(text) > events.MaxEndpointPEM {
		return "", fmt.Errorf("%s has more than %d bytes", name, events.MaxEndpointPEM)
	}
	if strings.Contains(string(text), "PRIVATE KEY-----") {
		return "", fmt.Errorf("%s holds a private key, which must not be stored with the endpoint: give --key a reference to it", name)
	}
	return string(text), nil
}

// specOf makes an endpoint of what was given for a new one.
func specOf(fields map[string]any) (events.EndpointSpec, error) {
	var spec events.EndpointSpec
	dropNulls(fields)
	text, err := json.Marshal(fields)
	if err != nil {
		return spec, err
	}
	if err := json.Unmarshal(text, &spec); err != nil {
		return spec, err
	}
	return spec, spec.Validate()
}

// dropNulls removes what is taken back: a new endpoint has nothing to take.
func dropNulls(fields map[string]any) {
	for name, value := range fields {
		if value == nil {
			delete(fields, name)
		}
		if table, ok := value.(map[string]any); ok {
			dropNulls(table)
		}
	}
}
