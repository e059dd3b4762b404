package installation

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// clusterHeader begins what the servers of a cluster include beside their users.
const clusterHeader = "# Made by `mlsdmctl init`, which writes it anew: which servers are one cluster, and how they know each other.\n" +
	"# As secret as a key: whoever joins the cluster reads and writes everything.\n\n"

// routePort is where a server listens to the others of its cluster.
const routePort = 6222

// checkCluster refuses what cannot be the servers of a cluster.
func checkCluster(hosts []string) error {
	if len(hosts) == 0 {
		return nil
	}
	name := regexp.MustCompile(`^[a-zA-Z0-9]([a-zA-Z0-9.-]{0,251}[a-zA-Z0-9])?$`)
	for _, host := range hosts {
		if !name.MatchString(host) {
			return fmt.Errorf("%q cannot be the host of a server of the cluster: it is made of letters, digits, dots and hyphens", host)
		}
	}
	if n := len(union(nil, hosts)); n != len(hosts) || n < 3 {
		return errors.New("a cluster has three servers or more, each named once: with fewer it stops with the first that fails")
	}
	return nil
}

// cluster writes how the servers of a cluster reach each other: by a password that is made here and, where there are certificates, over
// TLS, with each server showing its own.
func (m *maker) cluster() error {
	if len(m.manifest.Cluster) == 0 {
		return nil
	}
	if err := m.secret(routesFile, "by which the servers of the cluster know each other", func() ([]byte, error) {
		return []byte(rand.Text() + "\n"), nil
	}); err != nil {
		return err
	}
	text, _, err := m.disk.read(routesFile) // not there yet where nothing is changed
	if err != nil {
		return err
	}
	defer func() { clear(text) }()
	password := string(bytes.TrimSpace(text))
	var w strings.Builder
	w.WriteString(clusterHeader)
	fmt.Fprintf(&w, "cluster {\n  name: %q\n  listen: 0.0.0.0:%d\n", m.options.Subjects.Prefix(), routePort)
	fmt.Fprintf(&w, "  authorization { user: route, password: %q, timeout: 5 }\n", password)
	if m.manifest.TLS {
		fmt.Fprintf(&w, "  tls {\n    cert_file: %q\n    key_file: %q\n    ca_file: %q\n    verify: true\n    min_version: \"1.2\"\n    timeout: 5\n  }\n",
			m.in(serverCertFile), m.in(serverKeyFile), m.in(caFile))
	}
	w.WriteString("  routes: [\n")
	for _, host := range m.manifest.Cluster {
		fmt.Fprintf(&w, "    \"nats://route:%s@%s:%d\"\n", password, host, routePort)
	}
	w.WriteString("  ]\n}\n")
	return m.put(clusterFile, []byte(w.String()), "the cluster of the NATS servers")
}
