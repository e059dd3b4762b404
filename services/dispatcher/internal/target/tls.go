package target

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"strings"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// checkTLS checks the certificates of an endpoint, and how its key is referred to.
func checkTLS(spec events.EndpointSpec) error {
	t := spec.TLS
	if t == nil {
		return nil
	}
	if *t == (events.EndpointTLS{}) {
		return events.Errorf(events.CodeInvalidArgument, "tls is empty; leave it out")
	}
	if err := checkCertificates("tls.ca", t.CA); err != nil {
		return err
	}
	if err := checkCertificates("tls.certificate", t.Certificate); err != nil {
		return err
	}
	if t.Key != "" {
		if err := checkReference("tls.key", t.Key); err != nil {
			return err
		}
	}
	if !validServerName(t.ServerName) {
		return events.Errorf(events.CodeInvalidArgument, "tls.server_name is %.80q; it is a host's name, without a port", t.ServerName)
	}
	return nil
}

// checkCertificates checks that a text, which may be left out, is PEM blocks of certificates and nothing else. It is not
// quoted: what stands there by mistake may be a key.
func checkCertificates(field, text string) error {
	if strings.Contains(text, "PRIVATE KEY-----") { // perhaps indented, so that it would be skipped as a comment
		return events.Errorf(events.CodeInvalidArgument, "%s holds a private key; a key belongs in a secret", field)
	}
	rest := []byte(text)
	for n := 1; len(bytes.TrimSpace(rest)) > 0; n++ {
		block, after := pem.Decode(rest)
		switch {
		case block == nil:
			return events.Errorf(events.CodeInvalidArgument, "%s: block %d is not PEM (-----BEGIN CERTIFICATE-----)", field, n)
		case block.Type != "CERTIFICATE":
			return events.Errorf(events.CodeInvalidArgument, "%s: block %d is %.40q and not a CERTIFICATE; a key belongs in a secret", field, n, block.Type)
		}
		if _, err := x509.ParseCertificate(block.Bytes); err != nil {
			return events.Errorf(events.CodeInvalidArgument, "%s: block %d is no certificate: %w", field, n, err)
		}
		rest = after
	}
	return nil
}

// validServerName reports whether a text, which may be empty, can be the name in a certificate: a host's name or an IP
// address.
func validServerName(name string) bool {
	valid := strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:") == ""
	return valid && (strings.Count(name, ":") != 1) && !strings.HasPrefix(name, ".")
}
