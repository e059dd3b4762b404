package installation_test

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/cmd/mlsdmctl/internal/installation"
	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/permissions"
	"github.com/neuron7x/mlsdm-integrations/internal/provision"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

func options(t *testing.T) installation.Options {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "deploy", "installation")
	return installation.Options{Dir: dir, ServerDir: filepath.Join(dir, "nats"), Now: time.Now()}
}

func create(t *testing.T, o installation.Options) installation.Result {
	t.Helper()
	r, err := installation.Make(o)
	require.NoError(t, err)
	return r
}

// files returns the content of every file.
func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	require.NoError(t, filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() || entry.Name() == ".lock" {
			return err
		}
		text, err := os.ReadFile(path)
		name, relErr := filepath.Rel(dir, path)
		require.NoError(t, relErr)
		all[name] = string(text)
		return err
	}))
	return all
}

// changed returns the names of the files that differ.
func changed(before, after map[string]string) []string {
	var names []string
	for name, text := range after {
		if before[name] != text {
			names = append(names, name)
		}
	}
	return names
}

func TestMakeAndMakeAgain(t *testing.T) {
	t.Parallel()
	o := options(t)
	first := create(t, o)
	require.Len(t, first.Changes, 1+7+6+1, "%v", first.Changes)
	made := files(t, o.Dir)
	require.Len(t, made, len(first.Changes))

	info, err := os.Stat(o.Dir)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o700), info.Mode().Perm(), "closed to others")
	for name := range made {
		info, err := os.Stat(filepath.Join(o.Dir, name))
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o444), info.Mode().Perm(), "%s: a container reads it as nobody in particular", name)
	}
	for _, name := range []string{"webhook-seal.key", "audit.key"} {
		key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(made[name]))
		require.NoError(t, err)
		require.Len(t, key, 32)
	}
	require.Equal(t, "MLSDM_SECRETD_KEY="+first.Signer+"\n", made["secretd.env"])

	again := create(t, o)
	require.Empty(t, again.Changes)
	require.Equal(t, made, files(t, o.Dir))
	other := options(t)
	create(t, other)
	require.NotEqual(t, made["users/admin.nk"], files(t, other.Dir)["users/admin.nk"])
}

// What is printed, in whichever way, shows no key.
func TestTheResultHoldsNoSecret(t *testing.T) {
	t.Parallel()
	o := options(t)
	r := create(t, o)
	text, err := json.Marshal(r)
	require.NoError(t, err)
	shown := string(text) + fmt.Sprintf("%+v", r)
	for name, content := range files(t, o.Dir) {
		for line := range strings.Lines(content) {
			if line = strings.TrimSpace(line); len(line) >= 20 && name != "secretd.env" && !strings.HasPrefix(line, "# The") {
				require.NotContains(t, shown, strings.TrimPrefix(line, "# api: "), name)
			}
		}
	}
}

func TestRotateChangesOneKeyAndTheServersUsers(t *testing.T) {
	t.Parallel()
	o := options(t)
	create(t, o)
	before := files(t, o.Dir)
	o.Rotate = []string{events.ServiceDispatcher}
	r := create(t, o)
	require.ElementsMatch(t, []string{"users/dispatcher.nk", "nats/users.conf"}, changed(before, files(t, o.Dir)))
	require.Equal(t, o.Rotate, r.Rotated)
	o.Rotate = []string{"nobody"}
	_, err := installation.Make(o)
	require.ErrorContains(t, err, "there is no user nobody")
}

func TestCallersAreKept(t *testing.T) {
	t.Parallel()
	o := options(t)
	o.Callers = []string{"team-b", "team-a"}
	require.Contains(t, create(t, o).Users, "team-a")
	o.Callers = []string{"team-c"}
	before := files(t, o.Dir)
	require.Equal(t, append(append(permissions.Services(), permissions.Admin, permissions.Client), "team-a", "team-b", "team-c"), create(t, o).Users)
	require.ElementsMatch(t, []string{"users/team-c.nk", "nats/users.conf", "installation.json"}, changed(before, files(t, o.Dir)))
	o.Callers = []string{"../x"}
	_, err := installation.Make(o)
	require.ErrorContains(t, err, "the caller")
}

func TestDryRunDoesNothing(t *testing.T) {
	t.Parallel()
	o := options(t)
	o.DryRun, o.TLS = true, true
	r := create(t, o)
	require.NotEmpty(t, r.Changes)
	require.NoDirExists(t, o.Dir)
	require.NoDirExists(t, filepath.Dir(o.Dir))
	o.DryRun, o.TLS = false, false
	create(t, o)
	before := files(t, o.Dir)
	o.DryRun, o.Rotate = true, []string{permissions.Admin}
	require.Len(t, create(t, o).Changes, 2)
	require.Equal(t, before, files(t, o.Dir))
}

func TestWhatIsNotOursIsLeftAlone(t *testing.T) {
	t.Parallel()
	elsewhere := filepath.Join(t.TempDir(), "elsewhere")
	require.NoError(t, os.WriteFile(elsewhere, []byte("theirs"), 0o600))
	for name, spoil := range map[string]func(t *testing.T, dir string){
		"a folder with other things": func(t *testing.T, dir string) {
			t.Helper()
			require.NoError(t, os.RemoveAll(dir))
			require.NoError(t, os.MkdirAll(dir, 0o700))
			require.NoError(t, os.WriteFile(filepath.Join(dir, "thesis.txt"), nil, 0o600))
		},
		"a file in its place": func(t *testing.T, dir string) {
			t.Helper()
			require.NoError(t, os.RemoveAll(dir))
			require.NoError(t, os.WriteFile(dir, nil, 0o600))
		},
		"a link in its place": func(t *testing.T, dir string) {
			t.Helper()
			require.NoError(t, os.RemoveAll(dir))
			require.NoError(t, os.Symlink(filepath.Dir(elsewhere), dir))
		},
		"a key that is a link":       replace("users/embedder.nk", func(path string) error { return os.Symlink(elsewhere, path) }),
		"a key that is none":         replace("users/embedder.nk", func(path string) error { return os.WriteFile(path, []byte("SUx"), 0o600) }),
		"another user's key":         replace("users/embedder.nk", func(path string) error { return os.Link(filepath.Join(filepath.Dir(path), "secretd.nk"), path) }),
		"a configuration of theirs":  replace("nats/users.conf", func(path string) error { return os.WriteFile(path, []byte("port: 1"), 0o600) }),
		"a folder that is a link":    replace("users", func(path string) error { return os.Symlink(filepath.Dir(elsewhere), path) }),
		"an empty password":          replace("redis.password", func(path string) error { return os.WriteFile(path, nil, 0o600) }),
		"a manifest of another tool": replace("installation.json", func(path string) error { return os.WriteFile(path, []byte(`{"made_by":"x"}`), 0o600) }),
		"a caller with a path": replace("installation.json", func(path string) error {
			return os.WriteFile(path, []byte(`{"made_by":"mlsdmctl init","callers":["../../x"]}`), 0o600)
		}),
		"a lock that is a link": replace(".lock", func(path string) error { return os.Symlink(elsewhere, path) }),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := options(t)
			create(t, o)
			spoil(t, o.Dir)
			_, err := installation.Make(o)
			require.Error(t, err)
			text, err := os.ReadFile(elsewhere)
			require.NoError(t, err)
			require.Equal(t, "theirs", string(text))
		})
	}
}

// replace puts something else in the place of a file.
func replace(name string, put func(path string) error) func(t *testing.T, dir string) {
	return func(t *testing.T, dir string) {
		t.Helper()
		require.NoError(t, os.RemoveAll(filepath.Join(dir, name)))
		require.NoError(t, put(filepath.Join(dir, name)))
	}
}

func TestCertificates(t *testing.T) {
	t.Parallel()
	o := options(t)
	o.TLS, o.TLSNames = true, []string{"bus.example.com", "10.1.2.3"}
	create(t, o)
	made := files(t, o.Dir)
	block, _ := pem.Decode([]byte(made["nats/server.pem"]))
	cert, err := x509.ParseCertificate(block.Bytes)
	require.NoError(t, err)
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM([]byte(made["nats/ca.pem"])))
	for _, name := range []string{"nats", "localhost", "127.0.0.1", "::1", "bus.example.com", "10.1.2.3"} {
		_, err := cert.Verify(x509.VerifyOptions{Roots: roots, DNSName: name})
		require.NoError(t, err, name)
	}
	require.WithinDuration(t, o.Now.AddDate(1, 0, 0), cert.NotAfter, 48*time.Hour)
	info, err := os.Stat(filepath.Join(o.Dir, "ca.key"))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o400), info.Mode().Perm())

	o.TLS, o.TLSNames = false, nil // it stays as it was asked for
	o.Now = o.Now.AddDate(0, 10, 0)
	require.Empty(t, create(t, o).Changes)
	o.Now = o.Now.AddDate(0, 1, 15)
	create(t, o)
	require.ElementsMatch(t, []string{"nats/server.pem", "nats/server.key"}, changed(made, files(t, o.Dir)), "in its last month it is made anew")
}

// A server takes what is made, lets in who has a key, over TLS, and reads it anew when a key was rotated.
func TestAServerRunsWithIt(t *testing.T) {
	t.Parallel()
	o := options(t)
	o.TLS = true
	create(t, o)
	file := filepath.Join(t.TempDir(), "nats.conf")
	include, err := filepath.Rel(filepath.Dir(file), filepath.Join(o.Dir, "nats", "users.conf"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, []byte(`listen: "127.0.0.1:-1"
jetstream { store_dir: "`+t.TempDir()+`" }
include "`+include+`"
`), 0o600))
	config, err := server.ProcessConfigFile(file)
	require.NoError(t, err)
	config.NoSigs, config.NoLog = true, true
	s, err := server.NewServer(config)
	require.NoError(t, err)
	s.Start()
	t.Cleanup(func() {
		s.Shutdown()
		s.WaitForShutdown()
	})
	require.True(t, s.ReadyForConnections(20*time.Second))

	connect := func(user string) (*bus.Bus, error) {
		return bus.Connect(t.Context(), bus.Config{
			URLs: []string{s.ClientURL()}, NKeyFile: filepath.Join(o.Dir, "users", user+".nk"), TLSCA: filepath.Join(o.Dir, "nats", "ca.pem"),
		}, "mlsdmctl", bus.Options{})
	}
	admin, err := connect(permissions.Admin)
	require.NoError(t, err)
	steps, err := provision.Plan(t.Context(), admin, provision.Default())
	require.NoError(t, err)
	require.NoError(t, provision.Apply(t.Context(), steps, nil))
	dispatcher, err := connect(events.ServiceDispatcher)
	require.NoError(t, err)
	missing, err := dispatcher.Missing(t.Context(), events.ServiceDispatcher)
	require.NoError(t, err)
	require.Empty(t, missing)

	old, err := os.ReadFile(filepath.Join(o.Dir, "users", "dispatcher.nk"))
	require.NoError(t, err)
	o.Rotate = []string{events.ServiceDispatcher}
	create(t, o)
	require.NoError(t, s.Reload())
	again, err := connect(events.ServiceDispatcher)
	require.NoError(t, err, "with the new key")
	missing, err = again.Missing(t.Context(), events.ServiceDispatcher)
	require.NoError(t, err)
	require.Empty(t, missing)
	_, found, err := admin.Stream(t.Context(), "MLSDM_EVENTS")
	require.NoError(t, err, "the others go on")
	require.True(t, found)
	_, err = admin.Request(t.Context(), bus.Msg{Subject: "$JS.API.STREAM.NAMES"})
	require.ErrorContains(t, err, "nobody answers", "JetStream's API is where it was, and not at its usual place")
	stale, err := bus.ParseKey(old)
	require.NoError(t, err)
	_, err = bus.Connect(t.Context(), bus.Config{URLs: []string{s.ClientURL()}, TLSCA: filepath.Join(o.Dir, "nats", "ca.pem")}, "x", bus.Options{Key: stale})
	require.ErrorContains(t, err, "refuses the credentials")
	for _, b := range []*bus.Bus{admin, again} {
		require.NoError(t, b.Close(t.Context()))
	}
	<-dispatcher.Closed()
}
