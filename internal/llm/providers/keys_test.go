package providers

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/internal/section"
)

func TestReadKeys(t *testing.T) {
	t.Parallel()
	r := section.New("f.yaml")
	n, err := r.Document([]byte("- secret:a\n- {key: env:B, weight: 3}\n- hunter2\n- {weight: 2}\n- {key: env:C, wait: 1}\n- {key: env:D, weight: 1001}\n- env:\n- []\n"))
	require.NoError(t, err)
	keys := readKeys(r, n)
	require.Equal(t, "secret:a", keys[0].Name)
	require.Equal(t, 1, keys[0].Weight)
	require.True(t, keys[1].Value.IsLive())
	require.Equal(t, 3, keys[1].Weight)
	text := r.Err().Error()
	for _, want := range []string{
		"f.yaml:3: a key is a reference", "f.yaml:4: a key is a reference, or {key:", `f.yaml:5: unknown key "wait"; there are key and weight`,
		"f.yaml:6: weight is a whole number of 1 to 1000", "f.yaml:7: ", "f.yaml:8: a key is a text",
	} {
		require.Contains(t, text, want)
	}
	require.NotContains(t, text, "hunter2")
}

func TestChecks(t *testing.T) {
	t.Parallel()
	v := secret.NewValue("v")
	require.NoError(t, checkKeys([]Key{{Name: "a", Value: v}, {Name: "b", Value: v, Weight: 1000}}))
	for want, keys := range map[string][]Key{
		"keys[0] is empty":     {{Name: "a"}},
		"it must be 1 to 1000": {{Name: "a", Value: v, Weight: -1}},
		"key a is there twice": {{Name: "a", Value: v}, {Name: "a", Value: v}},
		"at most 64":           make([]Key, 65),
	} {
		require.ErrorContains(t, checkKeys(keys), want)
	}
	require.NoError(t, checkName("openai"))
	for _, name := range []string{"", "a/b", "a.b", "a b", strings.Repeat("x", 65)} {
		require.Error(t, checkName(name), name)
	}
	require.NoError(t, checkModels([]string{"a", "org/b:c"}))
	for _, models := range [][]string{{""}, {"a b"}, {"a", "a"}, {strings.Repeat("x", 257)}} {
		require.Error(t, checkModels(models))
	}
	require.NoError(t, CheckAlias("fast"))
	for _, name := range []string{"", "a/b", "a b"} {
		require.Error(t, CheckAlias(name), name)
	}
	require.NoError(t, checkHeader("X-Team", "blue\tgreen"))
	for name, value := range map[string]string{"authorization": "x", "api-key": "x", "Host": "x", "": "x", "a b": "x", "X-A": "a\r\nb", "X-B": strings.Repeat("x", 4097)} {
		require.Error(t, checkHeader(name, value), name)
	}
}
