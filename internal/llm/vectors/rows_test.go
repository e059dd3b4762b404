package vectors_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/llm/vectors"
)

func TestRows(t *testing.T) {
	t.Parallel()
	for text, says := range map[string]string{
		`{"rows":[[1,2],[3,4]],"n":{"a":[1]},"x":"y"}`:        "",
		"\n{ \"n\" : 1 , \"rows\" : [ [ 1, 2 ] , [3,4] ] }\t": "",
		`{"rows":null,"rows":[[1,2],[3,4]]}`:                  "",
		`{}`:                                                  "not found",
		`{"rows":null}`:                                       "not found",
		`{"rows":[[1,2],[3,4],[5,6]]}`:                        "more than 2",
		`{"rows":[[1,2]],"rows":[[3,4]]}`:                     "come twice",
		`{"rows":[[1,2],[3,"4"]]}`:                            "vector 1: it holds something else than a number",
		`{"rows":[[1,2],null]}`:                               "vector 1: ",
		`{"rows":[[1,2],[[3,4]]]}`:                            "vector 1: ",
		`{"rows":{"0":[1]}}`:                                  "is missing",
		`{"rows":[1,2]}`:                                      "vector 0: ",
		`[[1,2],[3,4]]`:                                       "is missing",
		`{"rows":[[1,2],[3,4]]`:                               "ends in the middle",
		`{"rows":[[1,2],[3,4]]}}`:                             "follows its end",
		`{"n":"` + strings.Repeat("x", 70000) + `"}`:          "too large",
		``: "ends",
	} {
		var n []byte
		rows := vectors.Rows{Texts: 2}
		err := vectors.Object(strings.NewReader(text), "rows", rows.Read, map[string]*[]byte{"n": &n})
		if says == "not found" {
			require.NoError(t, err, text)
			require.False(t, rows.Found, text)
			continue
		}
		if says != "" {
			require.ErrorContains(t, err, says, text)
			continue
		}
		require.NoError(t, err, text)
		require.True(t, rows.Found, text)
		require.Equal(t, [][]float32{{1, 2}, {3, 4}}, rows.Vectors, text)
		if strings.Contains(text, `"n":{`) {
			require.JSONEq(t, `{"a":[1]}`, string(n))
		}
	}
}

func TestMost(t *testing.T) {
	t.Parallel()
	require.Less(t, vectors.Most(1), int64(2<<20))
	require.Greater(t, vectors.Most(96), int64(96*16384*20), "as long as vectors get")
	require.Equal(t, int64(256<<20), vectors.Most(1<<40))
}
