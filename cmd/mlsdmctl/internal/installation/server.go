package installation

import (
	"fmt"
	"path"
	"strings"

	"github.com/neuron7x/mlsdm-integrations/internal/permissions"
)

// header begins the server's part, and shows that it is ours.
const header = "# Made by `mlsdmctl init`, which writes it anew: who is a user of this bus, and what each may do.\n" +
	"# As secret as a key: it holds where the administrator reaches JetStream.\n"

// server writes the part of the NATS server's configuration that is made here.
func (m *maker) server(keys permissions.Keys, certificates string) error {
	old, found, err := m.disk.read(usersFile)
	if err != nil {
		return err
	}
	if found && !strings.HasPrefix(string(old), header) {
		return fmt.Errorf("%s: %w: move it away, or give it its first lines back", path.Join(m.options.Dir, usersFile), ErrNotOurs)
	}
	accounts, err := m.installation.Accounts(keys)
	if err != nil {
		return err
	}
	return m.put(usersFile, []byte(header+"\n"+certificates+accounts), "the users of the NATS server and their rights")
}
