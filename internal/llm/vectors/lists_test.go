package vectors_test

import (
	"math"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/llm/vectors"
)

func TestLists(t *testing.T) {
	t.Parallel()
	row := []float32{1, 2}
	for _, c := range []struct {
		text, says string
		depth      int
		rows       [][]float32
		groups     [][]int
	}{
		{`[1,2]`, "", 1, [][]float32{row}, [][]int{}},
		{`[[1,2],[1,2]]`, "", 2, [][]float32{row, row}, [][]int{{2}}},
		{" [ [1,2] , [ 1 , 2 ]\n]\t", "", 2, [][]float32{row, row}, [][]int{{2}}},
		{`[[[1,2]],[[1,2],[1,2]]]`, "", 3, [][]float32{row, row, row}, [][]int{{2}, {1, 2}}},
		{`[[[[1,2]]],[[[1,2],[1,2]]]]`, "", 4, [][]float32{row, row, row}, [][]int{{2}, {1, 1}, {1, 2}}},
		{`5`, "a number instead", 0, nil, nil},
		{`null`, "a null instead", 0, nil, nil},
		{`"x"`, "a string instead", 0, nil, nil},
		{`{"error":"m"}`, "an object instead", 0, nil, nil},
		{`[[[[[1]]]]]`, "nested 5 deep", 5, nil, nil},
		{`[]`, "a vector is empty", 1, nil, nil},
		{`[[]]`, "a vector is empty", 2, nil, nil},
		{`[[1],[]]`, "a vector is empty", 2, nil, nil},
		{`[[[1]],[]]`, "a list is empty", 3, nil, nil},
		{`[[1,2],[1]]`, "vector 1 has 1 dimensions, vector 0 has 2", 2, nil, nil},
		{`[[1],2]`, "is missing", 2, nil, nil},
		{`[[1],null]`, "is missing", 2, nil, nil},
		{`[[null]]`, "else than a number", 2, nil, nil},
		{`[[1,"2"]]`, "else than a number", 2, nil, nil},
		{`[1,[2]]`, "else than a number", 1, nil, nil},
		{`[[1],[[2]]]`, "else than a number", 2, nil, nil},
		{`[[[1]],[2]]`, "is missing", 3, nil, nil},
		{`[[1e39]]`, "not finite", 2, nil, nil},
		{`[[1],[1],[1],[1]]`, "more than 3", 2, nil, nil},
		{`[[[1],[1]],[[1],[1]]]`, "more than 3", 3, nil, nil},
	} {
		l := vectors.Lists{Most: 3}
		require.NoError(t, json.Unmarshal([]byte(c.text), &l), c.text)
		require.Equal(t, c.depth, l.Depth, c.text)
		require.Equal(t, c.rows, l.Rows, c.text)
		require.Equal(t, c.groups, l.Groups, c.text)
		if c.says != "" {
			require.ErrorContains(t, l.Err, c.says, c.text)
		} else {
			require.NoError(t, l.Err, c.text)
		}
		require.Equal(t, c.depth == 0, l.Other != nil, c.text)
	}
	deep := strings.Repeat("[", 5000) + strings.Repeat("]", 5000)
	l := vectors.Lists{Most: 3}
	require.NoError(t, json.Unmarshal([]byte(deep), &l))
	require.Equal(t, 5000, l.Depth)
	require.ErrorContains(t, l.Err, "5000 deep")
	for _, text := range []string{``, `[`, `[[1]`, `[[1,]]`, `[01]`, `[NaN]`, `[[1]]]`} {
		require.Error(t, json.Unmarshal([]byte(text), &vectors.Lists{Most: 3}), text)
	}
}

// FuzzLists compares what is read with what a slower reader makes of it.
func FuzzLists(f *testing.F) {
	for _, text := range []string{`[1,2]`, `[[1,2],[1e5,-0.25]]`, `[[[1]],[[2]]]`, `[[[[1]]]]`, `[null]`, `["],[",1]`, `{"a":[1]}`, `[ [ ] ]`} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		l := vectors.Lists{Most: 8}
		if json.Unmarshal([]byte(text), &l) != nil {
			return
		}
		if l.Err != nil {
			require.Empty(t, l.Rows)
			return
		}
		require.NotEmpty(t, l.Rows)
		if l.Depth != 2 {
			return
		}
		var want [][]float64
		require.NoError(t, json.Unmarshal([]byte(text), &want))
		require.Len(t, l.Rows, len(want))
		for i, row := range want {
			require.Len(t, l.Rows[i], len(row))
			for j := range row {
				require.InEpsilon(t, 1+math.Abs(row[j]), 1+math.Abs(float64(l.Rows[i][j])), 1e-6)
			}
		}
	})
}
