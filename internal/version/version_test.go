package version

import (
	"runtime/debug"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFromBuildInfo(t *testing.T) {
	t.Parallel()
	const commit = "0123456789abcdef0123456789abcdef01234567"
	set := func(kv ...string) []debug.BuildSetting {
		var s []debug.BuildSetting
		for i := 0; i < len(kv); i += 2 {
			s = append(s, debug.BuildSetting{Key: kv[i], Value: kv[i+1]})
		}
		return s
	}
	for name, tc := range map[string]struct {
		info debug.BuildInfo
		want string
	}{
		"a released module":       {debug.BuildInfo{Main: debug.Module{Version: "v1.2.3"}}, "v1.2.3"},
		"a clean checkout":        {debug.BuildInfo{Settings: set("vcs.revision", commit, "vcs.modified", "false")}, "devel+0123456789ab"},
		"a changed checkout":      {debug.BuildInfo{Settings: set("vcs.revision", commit, "vcs.modified", "true")}, "devel+0123456789ab.dirty"},
		"a short commit":          {debug.BuildInfo{Settings: set("vcs.revision", "abc")}, "devel+abc"},
		"no version control":      {debug.BuildInfo{Main: debug.Module{Version: "(devel)"}}, "devel"},
		"nothing is known at all": {debug.BuildInfo{}, "devel"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, tc.want, fromBuildInfo(&tc.info))
		})
	}
}

func TestStringIsNeverEmpty(t *testing.T) {
	t.Parallel()
	require.NotEmpty(t, String())
}
