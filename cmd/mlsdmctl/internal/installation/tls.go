package installation

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"path"
	"slices"
	"time"
)

// Files of TLS. The server is given its own certificate and key; the authority's key stays in the folder.
const (
	caFile         = serverDir + "/ca.pem"
	caKeyFile      = "ca.key"
	serverCertFile = serverDir + "/server.pem"
	serverKeyFile  = serverDir + "/server.key"
)

// Lives of certificates. The server's is made anew when it has less than renewBefore left.
const (
	caLife      = 10 * 365 * 24 * time.Hour
	serverLife  = 365 * 24 * time.Hour
	renewBefore = 30 * 24 * time.Hour
	backdate    = time.Hour // for clocks that are behind
)

// certificates makes an authority and the server's certificate, unless they are there and good, and returns what the
// server's configuration says of them.
func (m *maker) certificates() (string, error) {
	ca, caKey, err := m.authority()
	if err != nil {
		return "", err
	}
	if err := m.serverCertificate(ca, caKey); err != nil {
		return "", err
	}
	return fmt.Sprintf("tls {\n  cert_file: %q\n  key_file: %q\n  min_version: \"1.2\"\n  timeout: 5\n}\n\n", m.in(serverCertFile), m.in(serverKeyFile)), nil
}

// in is where the server finds a file of its folder.
func (m *maker) in(name string) string { return path.Join(m.options.ServerDir, path.Base(name)) }

// authority returns the authority of this installation.
func (m *maker) authority() (*x509.Certificate, *ecdsa.PrivateKey, error) {
	cert, key, err := m.readPair(caFile, caKeyFile)
	if err != nil || cert != nil {
		return cert, key, err
	}
	template := m.template("MLSDM installation", caLife)
	template.IsCA, template.BasicConstraintsValid, template.MaxPathLenZero = true, true, true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	return m.issue(template, nil, nil, caFile, caKeyFile, "the authority of the certificates")
}

// serverCertificate makes the server's certificate, unless there is one that will do for a while.
func (m *maker) serverCertificate(ca *x509.Certificate, caKey *ecdsa.PrivateKey) error {
	template := m.template("nats", serverLife)
	template.KeyUsage, template.ExtKeyUsage = x509.KeyUsageDigitalSignature, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	if len(m.manifest.Cluster) > 0 { // servers of a cluster are each other's clients
		template.ExtKeyUsage = append(template.ExtKeyUsage, x509.ExtKeyUsageClientAuth)
	}
	names := append([]string{"nats", "localhost", "127.0.0.1", "::1"}, m.manifest.Cluster...)
	for _, name := range union(names, m.manifest.TLSNames) {
		if ip := net.ParseIP(name); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	cert, _, err := m.readPair(serverCertFile, serverKeyFile)
	if err != nil {
		return err
	}
	sameIP := func(a, b net.IP) bool { return a.Equal(b) }
	if cert != nil && cert.CheckSignatureFrom(ca) == nil && m.options.Now.Before(cert.NotAfter.Add(-renewBefore)) &&
		slices.Equal(cert.ExtKeyUsage, template.ExtKeyUsage) && slices.Equal(cert.DNSNames, template.DNSNames) && slices.EqualFunc(cert.IPAddresses, template.IPAddresses, sameIP) {
		return nil
	}
	_, _, err = m.issue(template, ca, caKey, serverCertFile, serverKeyFile, "the certificate of the NATS server")
	return err
}

// template is what all certificates have in common.
func (m *maker) template(name string, life time.Duration) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: new(big.Int).SetBytes(random(16)), Subject: pkix.Name{CommonName: name},
		NotBefore: m.options.Now.Add(-backdate), NotAfter: m.options.Now.Add(life),
	}
}

// issue makes a key and its certificate, signed by the authority or, without one, by itself.
func (m *maker) issue(template, ca *x509.Certificate, caKey *ecdsa.PrivateKey, certFile, keyFile, what string) (*x509.Certificate, *ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	if ca == nil {
		ca, caKey = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, ca, &key.PublicKey, caKey)
	if err != nil {
		return nil, nil, fmt.Errorf("making %s: %w", what, err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, nil, fmt.Errorf("making %s: %w", what, err)
	}
	// The key first: without its certificate it is of no use, and is made anew.
	if err := m.put(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), "the key of "+what); err != nil {
		return nil, nil, err
	}
	if err := m.put(certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), what); err != nil {
		return nil, nil, err
	}
	cert, err := x509.ParseCertificate(der)
	return cert, key, err
}

// readPair reads a certificate and its key; nil when one of them is not there, or they do not belong together because the
// making of them was broken off.
func (m *maker) readPair(certFile, keyFile string) (*x509.Certificate, *ecdsa.PrivateKey, error) {
	certPEM, foundCert, err := m.disk.read(certFile)
	if err != nil {
		return nil, nil, err
	}
	keyPEM, foundKey, err := m.disk.read(keyFile)
	if err != nil || !foundCert || !foundKey {
		return nil, nil, err
	}
	certBlock, _ := pem.Decode(certPEM)
	keyBlock, _ := pem.Decode(keyPEM)
	if certBlock == nil || keyBlock == nil {
		return nil, nil, fmt.Errorf("%s and %s: %w", certFile, keyFile, ErrNotOurs)
	}
	cert, err := x509.ParseCertificate(certBlock.Bytes)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", certFile, err)
	}
	private, err := x509.ParsePKCS8PrivateKey(keyBlock.Bytes)
	if err != nil {
		return nil, nil, errors.New(keyFile + " cannot be read")
	}
	key, ok := private.(*ecdsa.PrivateKey)
	if !ok {
		return nil, nil, fmt.Errorf("%s: %w", keyFile, ErrNotOurs)
	}
	if !key.PublicKey.Equal(cert.PublicKey) {
		return nil, nil, nil
	}
	return cert, key, nil
}
