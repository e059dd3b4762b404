package stack

import (
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nkeys"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/permissions"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
)

// What a service may answer. Whoever connects to this server from outside has no name, and so no inboxes of its own: the
// services answer wherever they are asked to, so many times at most, for so long.
const (
	maxAnswers = 1 << 20 // chunks of a stream
	answerFor  = time.Hour
)

// users are the users of the embedded server. Their keys live as long as the process, in its memory only.
type users struct {
	keys   map[string]bus.Key // of the services
	nkeys  []*server.NkeyUser
	signer signer
	anyone string // the public key of the user that everybody is who brings no key
}

// newUsers makes a user for each service, who may do what it may on any closed bus, and one for everybody else, who may
// do everything: this is the developer's own machine.
func newUsers() (users, error) {
	u := users{keys: map[string]bus.Key{}}
	for _, user := range (permissions.Installation{}).Users() {
		if !slices.Contains(permissions.Services(), user.Name) {
			continue
		}
		seed, public, err := newKey()
		if err != nil {
			return users{}, err
		}
		u.keys[user.Name] = bus.Key{Seed: seed, User: user.Name}
		u.nkeys = append(u.nkeys, &server.NkeyUser{Nkey: public, Permissions: &server.Permissions{
			Publish:   &server.SubjectPermission{Allow: user.Publish.Allow, Deny: user.Publish.Deny},
			Subscribe: &server.SubjectPermission{Allow: user.Subscribe.Allow, Deny: user.Subscribe.Deny},
			Response:  &server.ResponsePermission{MaxMsgs: maxAnswers, Expires: answerFor},
		}})
	}
	var err error
	if u.signer.seed, u.signer.public, err = newKey(); err != nil {
		return users{}, err
	}
	_, public, err := newKey() // nobody has its seed
	if err != nil {
		return users{}, err
	}
	u.anyone = public
	u.nkeys = append(u.nkeys, &server.NkeyUser{Nkey: public})
	return u, nil
}

// newKey makes an nkey.
func newKey() (seed secret.Value, public string, err error) {
	pair, err := nkeys.CreateUser()
	if err != nil {
		return secret.Value{}, "", fmt.Errorf("making an nkey: %w", err)
	}
	defer pair.Wipe()
	text, err := pair.Seed()
	if err != nil {
		return secret.Value{}, "", fmt.Errorf("making an nkey: %w", err)
	}
	defer clear(text)
	public, err = pair.PublicKey()
	if err != nil {
		return secret.Value{}, "", fmt.Errorf("making an nkey: %w", err)
	}
	return secret.NewValue(string(text)), public, nil
}
