package permissions_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/permissions"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

func TestCovers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		pattern, other string
		covers         bool
	}{
		{"a.b", "a.b", true},
		{"a.b", "a.c", false},
		{"a.b", "a", false},
		{"a", "a.b", false},
		{"a.*", "a.b", true},
		{"a.*", "a.*", true},
		{"a.*", "a.>", false},
		{"a.*", "a.b.c", false},
		{"a.b", "a.*", false},
		{"a.>", "a.b.c", true},
		{"a.>", "a.*", true},
		{"a.>", "a.>", true},
		{"a.>", "a", false},
		{">", "a", true},
		{"*.>", "a.>", true},
		{"*.>", ">", false},
	} {
		require.Equal(t, c.covers, permissions.Covers(c.pattern, c.other), "%s covers %s", c.pattern, c.other)
	}
}

func TestRightsAllow(t *testing.T) {
	t.Parallel()
	r := permissions.Rights{Allow: []string{"a.>"}, Deny: []string{"a.b.*"}}
	require.True(t, r.Allows("a.c"))
	require.False(t, r.Allows("a.b.c"))
	require.False(t, r.Allows("a.*.c"), "not all of it")
	require.False(t, r.Allows("b"))
}

func TestCheckCaller(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"client", "team-a", "a", "x9", strings.Repeat("a", 32)} {
		require.NoError(t, permissions.CheckCaller(name), name)
	}
	for _, name := range []string{"", "9x", "-x", "Team", "a.b", "a b", "a*", ">", "ä", "embedder", "admin", "default", "mlsdmctl", strings.Repeat("a", 33)} {
		require.Error(t, permissions.CheckCaller(name), name)
	}
}

// Whatever the catalogue grows, these hold for all users but the administrator.
func TestNobodyHasWhatOnlyTheAdministratorHas(t *testing.T) {
	t.Parallel()
	i := permissions.Installation{Callers: []string{"team-a", "client"}}
	require.Len(t, i.Users(), 8, "client stands there once")
	for _, u := range i.Users() {
		require.True(t, slices.IsSorted(u.Publish.Allow))
		if u.Name == permissions.Admin {
			continue
		}
		for _, s := range events.Streams() {
			for _, verb := range []string{"CREATE", "UPDATE", "DELETE", "PURGE", "SNAPSHOT", "RESTORE", "MSG.DELETE"} {
				own := verb == "PURGE" && s.Name == events.StreamParts && u.Name == events.ServiceEmbedder // who clears up after itself
				require.Equal(t, own, u.Publish.Allows("$JS.API.STREAM."+verb+"."+events.Subjects{}.StreamName(s.Name)), u.Name)
			}
		}
		for _, pattern := range slices.Concat(u.Publish.Allow, u.Subscribe.Allow) {
			first, _, _ := strings.Cut(pattern, ".")
			require.NotContains(t, []string{"*", ">", "$SYS", "_INBOX"}, first, "%s: %s", u.Name, pattern)
		}
		for _, pattern := range u.Subscribe.Allow {
			if owner, found := strings.CutPrefix(pattern, "_INBOX_"); found {
				require.Equal(t, u.Name+".>", owner)
			}
		}
	}
}

func TestAccountsWantsEveryKey(t *testing.T) {
	t.Parallel()
	i := permissions.Installation{}
	keys := permissions.Keys{Public: map[string]string{}, API: map[string]string{}}
	for _, name := range i.Names() {
		keys.Public[name] = "U" + name
	}
	_, err := i.Accounts(keys)
	require.ErrorContains(t, err, "the user ciwatch has no prefix")
	for _, name := range i.Prefixed() {
		keys.API[name] = "API." + name
	}
	text, err := i.Accounts(keys)
	require.NoError(t, err)
	again, err := i.Accounts(keys)
	require.NoError(t, err)
	require.Equal(t, text, again, "the same each time")
	require.NotContains(t, text, "allow_responses")
	delete(keys.Public, permissions.Client)
	_, err = i.Accounts(keys)
	require.ErrorContains(t, err, "the user client has no key")
}
