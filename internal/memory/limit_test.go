package memory_test

import (
	"math"
	"strings"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/memory"
)

// version2 is the system of a process in one cgroup of version 2, as a container sees it.
func version2(limit, current, stat string) fstest.MapFS {
	return fstest.MapFS{
		"proc/self/cgroup":             {Data: []byte("0::/\n")},
		"sys/fs/cgroup/memory.max":     {Data: []byte(limit + "\n")},
		"sys/fs/cgroup/memory.current": {Data: []byte(current + "\n")},
		"sys/fs/cgroup/memory.stat":    {Data: []byte(stat)},
	}
}

func files(contents map[string]string) fstest.MapFS {
	m := fstest.MapFS{}
	for name, text := range contents {
		m[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return m
}

const gib = 1 << 30

func TestLimitIsFound(t *testing.T) {
	t.Parallel()
	nested := map[string]string{
		"proc/self/cgroup":                      "0::/a/b/c\n",
		"sys/fs/cgroup/a/memory.max":            "2147483648\n",
		"sys/fs/cgroup/a/b/memory.max":          "1073741824\n",
		"sys/fs/cgroup/a/b/memory.current":      "900000000\n",
		"sys/fs/cgroup/a/b/memory.stat":         "anon 1\ninactive_file 5\n",
		"sys/fs/cgroup/a/b/c/memory.max":        "max\n",
		"sys/fs/cgroup/a/b/c/memory.swap.max":   "1\n",
		"sys/fs/cgroup/elsewhere/d/memory.max":  "1\n",
		"sys/fs/cgroup/a/b/c/memory.oom.group":  "0\n",
		"sys/fs/cgroup/a/b/c/d/memory.max":      "1\n",
		"sys/fs/cgroup/memory/memory.unrelated": "1\n",
	}
	for name, tt := range map[string]struct {
		configured string
		soft       int64
		files      fstest.MapFS
		limit      string // as the log says
	}{
		"configured first":        {"1GiB", 2 * gib, version2("5000000000", "0", ""), "limit_bytes=1073741824 limit_from=configured"},
		"then that of Go":         {"", 2 * gib, version2("1073741824", "0", ""), "limit_bytes=2147483648 limit_from=gomemlimit"},
		"then the cgroup":         {"", math.MaxInt64, version2("1073741824", "0", ""), "limit_bytes=1073741824 limit_from=cgroup"},
		"the smallest of several": {"", math.MaxInt64, files(nested), "limit_bytes=1073741824 limit_from=cgroup"},
		"version 1": {"", 0, files(map[string]string{
			"proc/self/cgroup": "12:memory:/docker/x\n5:cpu,cpuacct:/docker/x\n0::/\n",
			"sys/fs/cgroup/memory/docker/x/memory.limit_in_bytes": "536870912\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes":          "9223372036854771712\n",
		}), "limit_bytes=536870912 limit_from=cgroup"},
		"version 1, in a container that does not see its own folder": {"", 0, files(map[string]string{
			"proc/self/cgroup":                           "4:cpu,memory:/docker/x\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes": "536870912\n",
		}), "limit_bytes=536870912 limit_from=cgroup"},
		"as Docker shows it on a machine with both, with the memory in version 1": {"", 0, files(map[string]string{
			"proc/self/cgroup":                           "9:name=systemd:/docker/d65b\n8:pids:/docker/d65b\n4:memory:/docker/d65b\n1:cpu:/docker/d65b\n0::/docker/d65b\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes": "67108864\n",
		}), "limit_bytes=67108864 limit_from=cgroup"},
		"both versions": {"", 0, files(map[string]string{
			"proc/self/cgroup":                           "1:name=systemd:/\n0::/u\n9:memory:/\n",
			"sys/fs/cgroup/unified/u/memory.max":         "1073741824",
			"sys/fs/cgroup/memory/memory.limit_in_bytes": "536870912\n",
		}), "limit_bytes=536870912 limit_from=cgroup"},
		"one that leads out":      {"", 0, files(map[string]string{"proc/self/cgroup": "0::/../../../a\n", "sys/fs/cgroup/a/memory.max": "536870912\n", "a/memory.max": "1\n"}), "limit_bytes=536870912 limit_from=cgroup"},
		"one without an end":      {"", 0, files(map[string]string{"proc/self/cgroup": "0::" + strings.Repeat("/a", 1000) + "\n", "sys/fs/cgroup/memory.max": "536870912\n"}), "limit_bytes=536870912 limit_from=cgroup"},
		"one beside one not read": {"", 0, files(map[string]string{"proc/self/cgroup": "0::/a\n", "sys/fs/cgroup/a/memory.max": "lots\n", "sys/fs/cgroup/memory.max": "536870912\n"}), "limit_bytes=536870912 limit_from=cgroup"},
		"no number":               {"", 0, version2("lots", "0", ""), "there is no limit"},
		"a negative one":          {"", 0, version2("-1", "0", ""), "there is no limit"},
		"nothing":                 {"", 0, version2("", "0", ""), "there is no limit"},
		"none at all":             {"", 0, version2("0", "0", ""), "there is no limit"},
		"more than there can be":  {"", 0, version2("18446744073709551615", "0", ""), "there is no limit"},
		"beyond numbers":          {"", 0, version2("99999999999999999999999", "0", ""), "there is no limit"},
		"a file without an end":   {"", 0, version2(strings.Repeat("1", 1<<20), "0", ""), "there is no limit"},
		"a list that is none":     {"", 0, files(map[string]string{"proc/self/cgroup": "nonsense"}), "there is no limit"},
		"a line without an end":   {"", 0, files(map[string]string{"proc/self/cgroup": strings.Repeat("x", 1<<20)}), "there is no limit"},
		"a folder for a file":     {"", 0, files(map[string]string{"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max/x": ""}), "there is no limit"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				cfg := config()
				cfg.Limit = tt.configured
				h := watch(t, cfg, tt.files, tt.soft)
				require.Contains(t, h.log.String(), tt.limit)
			})
		})
	}
}

// What the cgroup uses counts too, without what the system takes back by itself.
func TestCgroupUsage(t *testing.T) {
	t.Parallel()
	of := func(current, stat string) fstest.MapFS { return version2("1048576000", current, stat) }
	old := files(map[string]string{
		"proc/self/cgroup": "3:memory:/\n", "sys/fs/cgroup/memory/memory.limit_in_bytes": "1048576000",
		"sys/fs/cgroup/memory/memory.usage_in_bytes": "943718400", "sys/fs/cgroup/memory/memory.stat": "inactive_file 943718400\ntotal_inactive_file 1048576\n",
	})
	for name, tt := range map[string]struct {
		files fstest.MapFS
		own   int64 // MiB
		told  []string
		used  int64
	}{
		"the group is nearer":        {of("943718400", "inactive_file 1048576\n"), 100, []string{"warning"}, 943718400 - 1048576},
		"version 1":                  {old, 100, []string{"warning"}, 943718400 - 1048576},
		"the process is nearer":      {of("1000", "inactive_file 0\n"), 850, []string{"warning"}, 850 * mib},
		"files are no use":           {of("1048576000", "active_file 1\ninactive_file 900000000\n"), 100, nil, 0},
		"more files than there are":  {of("900", "inactive_file 900000000\n"), 100, nil, 0},
		"without files":              {of("943718400", "anon 5\n"), 100, []string{"warning"}, 943718400},
		"files without number":       {of("943718400", "inactive_file many\n"), 100, nil, 0},
		"files beyond numbers":       {of("943718400", "inactive_file 18446744073709551615\n"), 100, nil, 0},
		"no number":                  {of("a lot", "inactive_file 0\n"), 810, []string{"warning"}, 810 * mib},
		"statistics without an end":  {of("943718400", strings.Repeat("x 1\n", 1<<16)), 100, nil, 0},
		"the use of the group is no": {files(map[string]string{"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "1048576000"}), 810, []string{"warning"}, 810 * mib},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				cfg := config()
				cfg.Limit = ""
				h := watch(t, cfg, tt.files, 0)
				h.use(tt.own, 15*time.Second)
				if len(tt.told) > 0 {
					require.NotEmpty(t, h.told)
					require.Equal(t, tt.used, h.told[0].UsedBytes)
					require.Equal(t, "cgroup", h.told[0].LimitFrom)
				}
				require.Equal(t, tt.told, h.levels())
				require.LessOrEqual(t, strings.Count(h.log.String(), "could not be read"), 1, "a file that cannot be read is said once")
			})
		})
	}
}

func TestConfigValidate(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"", "off", "4MiB", "536870912", "536870912B", "512Mi", "2GiB", "1TiB", "8388607TiB"} {
		cfg := config()
		cfg.Limit = good
		require.NoError(t, cfg.Validate(), good)
	}
	for _, bad := range []string{"0", "1", "4095KiB", "-1", "512MB", "512 MiB", "half", "MiB", "1e9", "8388608TiB", "18446744073709551615", "0x10000000", "OFF"} {
		cfg := config()
		cfg.Limit = bad
		require.ErrorContains(t, cfg.Validate(), "memory-limit", bad)
	}
	for _, bad := range []memory.Config{
		{Warning: 80, Critical: 101},
		{Warning: 92, Critical: 92},
		{Warning: 95, Critical: 92},
		{Warning: 5, Critical: 92},
		{Warning: 3, Critical: 5},
		{},
		{Warning: 80, Critical: 92, Grace: -1},
		{Warning: 80, Critical: 92, Grace: 25 * time.Hour},
	} {
		require.ErrorContains(t, bad.Validate(), "memory-", "%+v", bad)
		_, err := memory.New(memory.Options{Config: bad})
		require.Error(t, err)
	}
}
