package permissions

import (
	"fmt"
	"slices"
	"strings"
)

// Names of the accounts in the server's configuration.
const (
	account       = "MLSDM"
	systemAccount = "SYS"
	nowhere       = "nowhere.>" // what nobody listens to, in the system account
)

// Keys are what a server has to know beside the rights.
type Keys struct {
	// Public holds the public nkey of every user, by its name.
	Public map[string]string
	// API holds, for the administrator and every service, where it reaches JetStream's API: a prefix like "API.<random>". Whoever
	// knows one may have the server send a message there, so it is as secret as a key.
	API map[string]string
}

// Accounts writes the accounts part of the configuration of a nats-server: its users, and what they may do.
//
// The API of JetStream is a service that the system account exports and that an account with JetStream imports. The
// server adds the import of all of $JS.API.> by itself, unless there is one already. Here there is: it leads nowhere. What
// applications need, which makes, changes and deletes no stream, is imported beside it at the usual place. Each service
// has what it needs below a prefix of its own, and the administrator has all of it.
func (i Installation) Accounts(keys Keys) (string, error) {
	users := i.Users()
	for n, u := range users {
		if keys.Public[u.Name] == "" {
			return "", fmt.Errorf("the user %s has no key", u.Name)
		}
		if i.prefixed(u.Name) {
			if keys.API[u.Name] == "" {
				return "", fmt.Errorf("the user %s has no prefix for JetStream's API", u.Name)
			}
			users[n].Publish = below(u.Publish, keys.API[u.Name])
		}
		if u.Name == Admin { // what there is at the usual place, too
			users[n].Publish.Allow = minimal(append(users[n].Publish.Allow, apiPrefix+">"))
		}
	}
	var w strings.Builder
	fmt.Fprintf(&w, "system_account: %s\n\naccounts {\n", systemAccount)
	fmt.Fprintf(&w, "  %s {\n    exports: [\n      { service: %q }\n      { service: %q }\n    ]\n  }\n\n", systemAccount, apiPrefix+">", nowhere)
	fmt.Fprintf(&w, "  %s {\n    jetstream: enabled\n\n", account)
	w.WriteString("    # What becomes of messages whose trace is sampled is said there:\n")
	fmt.Fprintf(&w, "    %s\n\n    imports: [\n", i.Tracing())
	w.WriteString("      # Instead of all of JetStream's API, nothing:\n")
	writeImport(&w, nowhere, apiPrefix+">")
	i.writeImports(&w, users, keys)
	// Consumers and streams answer these themselves, at the usual place only; and there the client libraries write into KV
	// buckets below the prefix too.
	w.WriteString("    ]\n\n    mappings: {\n")
	for _, u := range users {
		if i.prefixed(u.Name) {
			for _, verb := range direct() {
				fmt.Fprintf(&w, "      %q: %q\n", keys.API[u.Name]+"."+verb+".>", apiPrefix+verb+".>")
			}
			fmt.Fprintf(&w, "      %q: %q\n", keys.API[u.Name]+".$KV.>", "$KV.>")
		}
	}
	w.WriteString("    }\n\n    users: [\n")
	for _, u := range users {
		fmt.Fprintf(&w, "      {\n        # %s\n        nkey: %s\n        permissions: {\n", u.Name, keys.Public[u.Name])
		writeRights(&w, "publish", u.Publish)
		writeRights(&w, "subscribe", u.Subscribe)
		w.WriteString("        }\n      }\n")
	}
	w.WriteString("    ]\n  }\n}\n")
	return w.String(), nil
}

// Tracing is what the configuration of an account says, so that the server tells of every message whose trace is sampled by who
// publishes it. It says nothing about any other.
func (i Installation) Tracing() string {
	return fmt.Sprintf("msg_trace: { dest: %q, sampling: 100 }", i.Subjects.Hops())
}

// apiPrefix is the usual place of JetStream's API.
const apiPrefix = "$JS.API."

// direct are the parts of the API that are no service of the system account.
func direct() []string { return []string{"CONSUMER.MSG.NEXT", "DIRECT.GET"} }

// isDirect reports whether a subject, without the prefix, is of such a part.
func isDirect(verb string) bool {
	return slices.ContainsFunc(direct(), func(d string) bool { return strings.HasPrefix(verb, d+".") })
}

// prefixed reports whether a user has JetStream's API below a prefix of its own: all but applications, whose NATS
// clients in other languages shall need no setting for it.
func (i Installation) prefixed(user string) bool { return !slices.Contains(i.applications(), user) }

// Prefixed returns the names of the users that have JetStream's API below a prefix of their own.
func (i Installation) Prefixed() []string { return append(Services(), Admin) }

// below moves the rights to JetStream's API to where a user has it. What is mapped from there to its usual place is checked
// by the server after that.
func below(r Rights, prefix string) Rights {
	move := func(subjects []string) []string {
		var moved []string
		for _, subject := range subjects {
			if verb, found := strings.CutPrefix(subject, apiPrefix); found && !isDirect(verb) {
				subject = prefix + "." + verb
			}
			moved = append(moved, subject)
		}
		return minimal(moved)
	}
	return Rights{Allow: move(r.Allow), Deny: move(r.Deny)}
}

// writeImports writes what leads to JetStream's API.
func (i Installation) writeImports(w *strings.Builder, users []User, keys Keys) {
	var usual []string
	for _, u := range users {
		if !i.prefixed(u.Name) {
			usual = append(usual, apiOf(u.Publish, apiPrefix)...)
		}
	}
	w.WriteString("      # applications:\n")
	for _, verb := range minimal(usual) { // the server would do twice what two imports match
		writeImport(w, apiPrefix+verb, apiPrefix+verb)
	}
	for _, u := range users {
		if i.prefixed(u.Name) {
			fmt.Fprintf(w, "      # %s:\n", u.Name)
			for _, verb := range apiOf(u.Publish, keys.API[u.Name]+".") {
				writeImport(w, apiPrefix+verb, keys.API[u.Name]+"."+verb)
			}
		}
	}
}

// apiOf returns what rights allow of JetStream's API below a prefix, without the prefix, and without what is no service of
// the system account.
func apiOf(r Rights, prefix string) []string {
	var verbs []string
	for _, subject := range r.Allow {
		if verb, found := strings.CutPrefix(subject, prefix); found && !isDirect(verb) {
			verbs = append(verbs, verb)
		}
	}
	return minimal(verbs)
}

// writeImport writes that local leads to a subject of the system account.
func writeImport(w *strings.Builder, subject, local string) {
	fmt.Fprintf(w, "      { service: { account: %s, subject: %q }, to: %q }\n", systemAccount, subject, local)
}

// writeRights writes one half of the permissions of a user.
func writeRights(w *strings.Builder, verb string, r Rights) {
	fmt.Fprintf(w, "          %s: {\n", verb)
	for _, half := range []struct {
		name     string
		subjects []string
	}{{"allow", r.Allow}, {"deny", r.Deny}} {
		if len(half.subjects) == 0 {
			continue
		}
		fmt.Fprintf(w, "            %s: [\n", half.name)
		for _, subject := range half.subjects {
			fmt.Fprintf(w, "              %q\n", subject)
		}
		w.WriteString("            ]\n")
	}
	w.WriteString("          }\n")
}
