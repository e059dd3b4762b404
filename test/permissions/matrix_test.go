package permissions_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/internal/permissions"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// extra is an application that the operator added.
const extra = "team-a"

// row is one subject of the table and who may use it.
type row struct {
	subject            string
	publish, subscribe []string
}

// Every user against every subject of the table, on a real server: what is allowed is not refused, all else is.
func TestMatrix(t *testing.T) {
	t.Parallel()
	server := bustest.Start(t, bustest.Closed(extra))
	installation := permissions.Installation{Callers: []string{extra}}
	require.Len(t, installation.Names(), 8)
	for _, user := range installation.Names() {
		t.Run(user, func(t *testing.T) {
			t.Parallel()
			rows := readMatrix(t)
			p := newProbe(t, server, user)
			api := server.Key(t, user).API.Reveal()
			for i := range rows {
				rows[i].subject = place(rows[i].subject, api)
			}
			for _, r := range rows {
				if !strings.ContainsAny(r.subject, "*>") {
					p.publish(t, r.subject)
				}
				p.subscribe(t, r.subject)
			}
			refused := p.refusals(t)
			for _, r := range rows {
				if !strings.ContainsAny(r.subject, "*>") {
					require.Equal(t, slices.Contains(r.publish, user), !refused["publish "+r.subject], "%s publishes to %s", user, r.subject)
				}
				require.Equal(t, slices.Contains(r.subscribe, user), !refused["subscribe "+r.subject], "%s subscribes to %s", user, r.subject)
			}
		})
	}
}

// place is where a user has a subject: JetStream's API may be below a prefix, but not what consumers and streams answer
// themselves.
func place(subject, api string) string {
	verb, found := strings.CutPrefix(subject, "$JS.API.")
	if api == "" || !found || strings.HasPrefix(verb, "CONSUMER.MSG.NEXT.") || strings.HasPrefix(verb, "DIRECT.GET.") {
		return subject
	}
	return api + "." + verb
}

// JetStream's API is a service's own affair: neither at the usual place nor below another's prefix may it ask.
func TestNobodyUsesAnothersPartOfJetStream(t *testing.T) {
	t.Parallel()
	server := bustest.Start(t, bustest.Closed(extra))
	installation := permissions.Installation{Callers: []string{extra}}
	for _, user := range installation.Names() {
		own := server.Key(t, user).API.Reveal()
		require.Equal(t, slices.Contains(installation.Prefixed(), user), own != "", user)
		places := []string{"$JS.API"}
		if own == "" || user == permissions.Admin { // these may go there, and find what applications need
			places = nil
		}
		for _, other := range installation.Prefixed() {
			if other != user {
				places = append(places, server.Key(t, other).API.Reveal())
			}
		}
		var subjects []string
		for _, r := range readMatrix(t) {
			verb, found := strings.CutPrefix(r.subject, "$JS.API.")
			if !found || place(r.subject, "x") == r.subject || strings.Contains(verb, ">") {
				continue
			}
			for _, at := range places {
				subjects = append(subjects, at+"."+verb)
			}
		}
		refused(t, server, user, "publish", subjects...)
		if own != "" && user != permissions.Admin { // the way round does not lead further than the straight one
			p := newProbe(t, server, user)
			for _, subject := range []string{"$KV.other.k", "DIRECT.GET.MLSDM_AUDIT", "CONSUMER.MSG.NEXT.MLSDM_AUDIT.x"} {
				p.publish(t, own+"."+subject)
			}
			refusals := p.refusals(t) // they name the subjects to which those were mapped
			require.Equal(t, map[string]bool{
				"publish $KV.other.k": true, "publish $JS.API.DIRECT.GET.MLSDM_AUDIT": true, "publish $JS.API.CONSUMER.MSG.NEXT.MLSDM_AUDIT.x": true,
			}, refusals)
		}
	}
}

// Whoever adds to the catalogue has to say, in the table, who may use it.
func TestTheTableHasTheWholeCatalogue(t *testing.T) {
	t.Parallel()
	var subjects []string
	for _, r := range readMatrix(t) {
		subjects = append(subjects, r.subject)
	}
	var s events.Subjects
	for _, op := range events.Operations() {
		require.Contains(t, subjects, s.Below(op.Name))
		require.Contains(t, subjects, s.Interactive(permissions.Client, op.Name))
		require.Contains(t, subjects, s.Interactive(extra, op.Name))
	}
	for _, typ := range events.Types() {
		require.Contains(t, subjects, s.Event(typ.Name))
	}
	for _, kind := range events.RequestKinds() {
		require.Contains(t, subjects, s.Request("", kind))
		require.Contains(t, subjects, s.Request(permissions.Client, kind))
		require.Contains(t, subjects, s.DeadRequest(kind))
	}
	names := make([]string, 0, len(events.Streams())+len(events.Buckets()))
	for _, stream := range events.Streams() {
		names = append(names, s.StreamName(stream.Name))
		for _, pattern := range stream.Subjects {
			covered := slices.ContainsFunc(subjects, func(subject string) bool { return permissions.Covers(s.Below(pattern), subject) })
			require.True(t, covered, "no subject of %s is in the table", s.Below(pattern))
		}
	}
	for _, bucket := range events.Buckets() {
		names = append(names, "KV_"+s.BucketName(bucket.Name))
		require.Contains(t, subjects, "$KV."+s.BucketName(bucket.Name)+".k")
	}
	for _, store := range events.ObjectStores() {
		names = append(names, "OBJ_"+s.BucketName(store.Name))
		require.Contains(t, subjects, "$O."+s.BucketName(store.Name)+".C.x")
		require.Contains(t, subjects, "$O."+s.BucketName(store.Name)+".M.x")
	}
	for _, name := range names {
		for _, verb := range []string{"STREAM.CREATE", "STREAM.UPDATE", "STREAM.DELETE", "STREAM.PURGE", "STREAM.MSG.DELETE", "STREAM.MSG.GET", "STREAM.INFO"} {
			require.Contains(t, subjects, "$JS.API."+verb+"."+name)
		}
	}
	for _, c := range events.Consumers() {
		require.Contains(t, subjects, "$JS.API.CONSUMER.MSG.NEXT."+s.StreamName(c.Stream)+"."+c.Name)
		require.Contains(t, subjects, "$JS.API.CONSUMER.DELETE."+s.StreamName(c.Stream)+"."+c.Name)
	}
}

// readMatrix reads the table.
func readMatrix(t *testing.T) []row {
	t.Helper()
	text, err := os.ReadFile("testdata/matrix.txt")
	require.NoError(t, err)
	var rows []row
	seen := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		cells := strings.Split(line, "|")
		require.Len(t, cells, 3, line)
		for _, subject := range expand(strings.TrimSpace(cells[0])) {
			require.False(t, seen[subject], "%s stands there twice", subject)
			seen[subject] = true
			rows = append(rows, row{subject, people(t, cells[1]), people(t, cells[2])})
		}
	}
	require.Greater(t, len(rows), 300)
	return rows
}

// expand replaces the first {a,b} of a subject by each of its parts, and so on.
func expand(subject string) []string {
	at := regexp.MustCompile(`\{([^}]*)\}`).FindStringSubmatchIndex(subject)
	if at == nil {
		return []string{subject}
	}
	var all []string
	for part := range strings.SplitSeq(subject[at[2]:at[3]], ",") {
		all = append(all, expand(subject[:at[0]]+part+subject[at[1]:])...)
	}
	return all
}

// people reads a cell of the table.
func people(t *testing.T, cell string) []string {
	t.Helper()
	known := permissions.Installation{Callers: []string{extra}}.Names()
	var all []string
	for word := range strings.FieldsSeq(cell) {
		switch word {
		case "-":
		case "services":
			all = append(all, permissions.Services()...)
		case "apps":
			all = append(all, permissions.Client, extra)
		default:
			require.Contains(t, known, word)
			all = append(all, word)
		}
	}
	return all
}
