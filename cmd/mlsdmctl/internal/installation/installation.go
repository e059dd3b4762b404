// Package installation makes what a closed bus needs on disk: a key for every user, the part of the NATS server's
// configuration that knows them and their rights, and the other keys and passwords of the stack, each in a file of its
// own, so that a container can be given one and no other.
//
// The folder is closed to others (0700). The files in it can be read by anyone who gets there (0444), because a container
// is given a file as it is and runs as nobody in particular. Doing it again makes what is missing and changes nothing else.
package installation

import (
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/permissions"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Options say what to make.
type Options struct {
	// Dir is the folder.
	Dir string
	// Subjects are those of the installation.
	Subjects events.Subjects
	// Callers are applications to add beside "client" and those that are there.
	Callers []string
	// Rotate names users that get new keys.
	Rotate []string
	// TLS makes certificates, in which TLSNames stand beside "nats" and "localhost". Once made they are kept up to date.
	TLS      bool
	TLSNames []string
	// Cluster names the NATS servers of a cluster, by which they reach each other; once named they stay. None is one server alone.
	Cluster []string
	// ServerDir is where the NATS server finds the folder nats.
	ServerDir string
	// DryRun changes nothing.
	DryRun bool
	// Now is the time, for certificates.
	Now time.Time
}

// Actions of a [Change].
const (
	Create = "create"
	Update = "update"
)

// Change is what was done to a file, or would be.
type Change struct {
	Path   string `json:"path"` // below the folder
	Action string `json:"action"`
	What   string `json:"what"`
}

// Result is what there is now, or would be. It holds no secret.
type Result struct {
	Dir     string   `json:"dir"`
	DryRun  bool     `json:"dry_run"`
	Changes []Change `json:"changes"`
	// Users are all users of the bus; Rotated those of them with new keys; Signer is secretd's public signing key.
	Users   []string `json:"users"`
	Rotated []string `json:"rotated,omitempty"`
	Signer  string   `json:"secretd_signer"`
	TLS     bool     `json:"tls"`
}

// Names of the files, below the folder.
const (
	manifestFile = "installation.json"
	usersDir     = "users" // one file a user, NAME.nk
	serverDir    = "nats"  // what the NATS server reads
	usersFile    = serverDir + "/users.conf"
	clusterFile  = serverDir + "/cluster.conf"
	sealFile     = "webhook-seal.key"
	redisFile    = "redis.password"
	vaultFile    = "vault-root.token"
	auditFile    = "audit.key"
	routesFile   = "routes.password"
	signingFile  = "secretd-signing.nk"
	signerFile   = "secretd.env" // MLSDM_SECRETD_KEY, which is no secret
)

// manifest says what was asked for. Its presence says that the folder is ours.
type manifest struct {
	Made     string   `json:"made_by"`
	Prefix   string   `json:"prefix"`
	Callers  []string `json:"callers"`
	TLS      bool     `json:"tls"`
	TLSNames []string `json:"tls_names,omitempty"`
	Cluster  []string `json:"cluster,omitempty"`
}

const madeBy = "mlsdmctl init"

// ErrNotOurs is wrapped when something is in the way that was not made here.
var ErrNotOurs = errors.New("it was not made by `mlsdmctl init`")

// Make makes what is missing and changes what has to change.
func Make(o Options) (Result, error) {
	for _, caller := range o.Callers {
		if err := permissions.CheckCaller(caller); err != nil {
			return Result{}, err
		}
	}
	if err := checkCluster(o.Cluster); err != nil {
		return Result{}, err
	}
	d, err := openDisk(o.Dir, o.DryRun)
	if err != nil {
		return Result{}, err
	}
	defer d.close()
	m := &maker{disk: d, options: o}
	if err := m.make(); err != nil {
		return Result{}, err
	}
	return Result{
		Dir: o.Dir, DryRun: o.DryRun, Changes: append([]Change{}, m.changes...), Users: m.installation.Names(), Rotated: o.Rotate,
		Signer: m.signer, TLS: m.manifest.TLS,
	}, nil
}

// maker is one call of [Make].
type maker struct {
	disk         *disk
	options      Options
	manifest     manifest
	installation permissions.Installation
	signer       string
	changes      []Change
}

// make makes everything in an order in which it can be broken off anywhere and done again.
func (m *maker) make() error {
	if err := m.readManifest(); err != nil {
		return err
	}
	m.installation = permissions.Installation{Subjects: m.options.Subjects, Callers: m.manifest.Callers}
	for _, user := range m.options.Rotate {
		if !slices.Contains(m.installation.Names(), user) {
			return fmt.Errorf("there is no user %s to rotate the key of; there are %v", user, m.installation.Names())
		}
	}
	text, err := json.MarshalIndent(m.manifest, "", "  ")
	if err != nil {
		return err
	}
	if err := m.put(manifestFile, append(text, '\n'), "what this installation is made of"); err != nil {
		return err
	}
	keys, err := m.users()
	if err != nil {
		return err
	}
	if err := m.secrets(); err != nil {
		return err
	}
	certificates := ""
	if m.manifest.TLS {
		if certificates, err = m.certificates(); err != nil {
			return err
		}
	}
	if err := m.cluster(); err != nil {
		return err
	}
	return m.server(keys, certificates)
}

// readManifest reads what was asked for before and adds what is asked for now. A folder with other things in it is left alone.
func (m *maker) readManifest() error {
	text, found, err := m.disk.read(manifestFile)
	if err != nil {
		return err
	}
	if found {
		if err := json.Unmarshal(text, &m.manifest); err != nil || m.manifest.Made != madeBy {
			return fmt.Errorf("%s: %w", path.Join(m.options.Dir, manifestFile), ErrNotOurs)
		}
	} else if empty, err := m.disk.empty(); err != nil || !empty {
		return errors.Join(err, fmt.Errorf("the folder %s has something in it: %w; choose another with --dir", m.options.Dir, ErrNotOurs))
	}
	m.manifest.Made, m.manifest.Prefix = madeBy, m.options.Subjects.Prefix()
	m.manifest.Callers = union(m.manifest.Callers, m.options.Callers)
	for _, caller := range m.manifest.Callers { // they become names of files
		if err := permissions.CheckCaller(caller); err != nil {
			return fmt.Errorf("%s: %w", manifestFile, err)
		}
	}
	if len(m.options.Cluster) > 0 {
		m.manifest.Cluster = union(nil, m.options.Cluster)
	}
	if err := checkCluster(m.manifest.Cluster); err != nil { // they become part of the server's configuration
		return fmt.Errorf("%s: %w", manifestFile, err)
	}
	m.manifest.TLS = m.manifest.TLS || m.options.TLS
	if m.manifest.TLS {
		m.manifest.TLSNames = union(m.manifest.TLSNames, m.options.TLSNames)
	}
	return nil
}

// union joins two lists, sorted, each name once.
func union(a, b []string) []string {
	all := append(slices.Clone(a), b...)
	slices.Sort(all)
	all = slices.Compact(all)
	if all == nil {
		all = []string{}
	}
	return all
}

// put makes the content of a file what it should be.
func (m *maker) put(name string, content []byte, what string) error {
	old, found, err := m.disk.read(name)
	if err != nil {
		return err
	}
	if found && slices.Equal(old, content) {
		return nil
	}
	action := Create
	if found {
		action = Update
	}
	if err := m.disk.write(name, content); err != nil {
		return fmt.Errorf("%s: %w", path.Join(m.options.Dir, name), err)
	}
	m.changes = append(m.changes, Change{Path: name, Action: action, What: what})
	return nil
}
