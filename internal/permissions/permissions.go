// Package permissions says what every user of a closed bus may publish and subscribe to, and writes it as the
// configuration of a NATS server.
//
// The rights are made from the catalogue of package events, so that a new operation, event type or stream brings its
// rights along. There is a user for each service, "admin", who makes and repairs things, and a user for each
// application: "client", and others that are asked for by name. A user is known by its nkey; its name is the caller of
// its requests, mlsdm.as.<name>.…, and the owner of its inboxes, _INBOX_<name>.>.
//
// Two properties of NATS shape what is granted:
//
//   - The server does not look at the reply subject of what is published. Whoever answers, answers there: a service
//     with allow_responses may publish to any subject that an asker names, $JS.API.STREAM.DELETE.… included, and it can be
//     its own asker. So no user has allow_responses: a service may publish to the inboxes of those who may ask it.
//   - JetStream itself answers there too, and nobody can take rights from it: an ack, a message that was pulled, or the
//     word that there is none would be taken for a request of its own API. So the part of the API that makes, changes and
//     deletes streams is not at its usual place on a closed bus, but below a prefix that only the administrator and the
//     server know (see [Installation.Accounts]).
//
// What remains is written down in docs/closed-bus.md.
package permissions

import (
	"fmt"
	"slices"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Names of the users that are no services.
const (
	// Admin makes streams and keys, reads everything but others' inboxes, and repairs.
	Admin = "admin"
	// Client is an application.
	Client = "client"
)

// User is a user of the bus and its rights.
type User struct {
	Name string
	// Publish and Subscribe are what it may do. What they do not allow is refused.
	Publish, Subscribe Rights
}

// Rights are patterns of subjects, in their order, each once. What Deny matches is refused although Allow matches it.
type Rights struct {
	Allow []string `json:"allow"`
	Deny  []string `json:"deny,omitempty"`
}

// add allows more.
func (r *Rights) add(subjects ...string) { r.Allow = append(r.Allow, subjects...) }

// deny refuses more.
func (r *Rights) deny(subjects ...string) { r.Deny = append(r.Deny, subjects...) }

// tidy sorts patterns, and leaves out those that another one covers.
func (r *Rights) tidy() { r.Allow, r.Deny = minimal(r.Allow), minimal(r.Deny) }

// Allows reports whether the rights reach to a subject, which may be a pattern: then to all of it.
func (r Rights) Allows(subject string) bool {
	matches := func(pattern string) bool { return Covers(pattern, subject) }
	overlaps := func(pattern string) bool { return meet(pattern, subject) }
	return slices.ContainsFunc(r.Allow, matches) && !slices.ContainsFunc(r.Deny, overlaps)
}

// Services are the users that are services, in the order of their documentation.
func Services() []string {
	return []string{events.ServiceCIWatch, events.ServiceEmbedder, events.ServiceGenerator, events.ServiceDispatcher, events.ServiceSecretd}
}

// Inbox is where the inboxes of a user begin: nobody else may subscribe below it.
func Inbox(user string) string { return "_INBOX_" + user }

// Installation is what the rights depend on.
type Installation struct {
	// Subjects are those of the installation; the zero value is that of the default prefix.
	Subjects events.Subjects
	// Callers are applications beside "client", which have the same rights under their own names.
	Callers []string
}

// CheckCaller checks that an application can have a name: 1 to 32 of the characters a-z 0-9 -, beginning with a letter,
// and not that of another user.
func CheckCaller(name string) error {
	const longest = 32
	if name == "" || len(name) > longest {
		return fmt.Errorf("the name of a caller has %d bytes; it must have 1 to %d", len(name), longest)
	}
	for i := range len(name) {
		c := name[i]
		if letter := c >= 'a' && c <= 'z'; !letter && (i == 0 || (c < '0' || c > '9') && c != '-') {
			return fmt.Errorf("the caller %q has %q at byte %d; a name is made of a-z 0-9 - and begins with a letter", name, c, i)
		}
	}
	taken := append(Services(), Admin, events.DefaultCaller, "mlsdmctl", "sys")
	if slices.Contains(taken, name) {
		return fmt.Errorf("%q cannot be a caller: the name means something else on the bus", name)
	}
	return nil
}

// Names returns the names of all users: services, then admin, then applications.
func (i Installation) Names() []string {
	names := append(Services(), Admin, Client)
	for _, caller := range slices.Sorted(slices.Values(i.Callers)) {
		if !slices.Contains(names, caller) {
			names = append(names, caller)
		}
	}
	return names
}

// applications are the users that are applications.
func (i Installation) applications() []string { return i.Names()[len(Services())+1:] }

// Users returns all users with their rights, in the order of [Installation.Names]. They are made anew with each call.
func (i Installation) Users() []User {
	names := i.Names()
	users := make([]User, 0, len(names))
	for _, name := range names {
		u := User{Name: name}
		u.Subscribe.add(Inbox(name) + ".>")
		// Who may not publish there has its messages dropped by the server as soon as their traces are sampled.
		u.Publish.add(i.Subjects.Hops())
		switch {
		case name == Admin:
			i.admin(&u)
		case slices.Contains(Services(), name):
			i.service(&u)
		default:
			i.application(&u)
		}
		u.Publish.tidy()
		u.Subscribe.tidy()
		users = append(users, u)
	}
	return users
}
