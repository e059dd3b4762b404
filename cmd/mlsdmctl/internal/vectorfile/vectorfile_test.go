package vectorfile_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/cmd/mlsdmctl/internal/corpus"
	"github.com/neuron7x/mlsdm-integrations/cmd/mlsdmctl/internal/vectorfile"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

func space() vectorfile.Space { return vectorfile.Space{ID: "a/m/2", Model: "a/m", Dimensions: 2} }

// fault is a row without a vector.
func fault(line int) vectorfile.Row {
	return vectorfile.Row{Line: line, ID: json.RawMessage(`"no"`), Error: &events.ErrorBody{Code: events.CodeInvalidArgument, Message: "it is empty"}}
}

// write adds rows, the space of which is named if one has a vector.
func write(t *testing.T, f *vectorfile.File, upTo int, rows ...vectorfile.Row) {
	t.Helper()
	var in vectorfile.Space
	for _, r := range rows {
		if r.Error == nil {
			in = space()
		}
	}
	require.NoError(t, f.Append(rows, in, 10, corpus.Position{Bytes: int64(10 * upTo), Lines: upTo, SHA256: "x"}))
}

func open(t *testing.T, name string, format vectorfile.Format) *vectorfile.File {
	t.Helper()
	f, err := vectorfile.Open(name, vectorfile.Ask{Format: format, Model: "a/m"}, false)
	require.NoError(t, err)
	return f
}

// crash leaves a file as a process does that is killed, after it has added rows that no checkpoint covers.
func crash(t *testing.T, f *vectorfile.File) {
	t.Helper()
	require.NoError(t, f.Checkpoint())
	was, err := os.ReadFile(f.Errors()[:len(f.Errors())-len(".errors.jsonl")] + ".progress")
	require.NoError(t, err)
	write(t, f, 90, vectorfile.Row{Line: 90, Vector: []float32{9, 9}}, fault(91))
	name := f.Errors()[:len(f.Errors())-len(".errors.jsonl")]
	require.NoError(t, f.Checkpoint()) // the rows come to the disk
	require.NoError(t, f.Close())
	require.NoError(t, os.WriteFile(name+".progress", was, 0o600)) // but not the word that they have
}

// made writes five rows in two goes, with a crash between them.
func made(t *testing.T, end string, format vectorfile.Format) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "vectors"+end)
	f := open(t, name, format)
	write(t, f, 1, fault(1))
	write(t, f, 3, vectorfile.Row{Line: 2, ID: json.RawMessage(`"b\u00e9"`), Vector: []float32{1, -2}}, vectorfile.Row{Line: 3, ID: json.RawMessage("12"), Vector: []float32{0.1, 3e-8}, Truncated: &events.Truncation{Tokens: 9, Used: 5}})
	crash(t, f)
	require.NoFileExists(t, name, "a name stands for a whole file")

	f = open(t, name, format)
	require.Equal(t, 3, f.State().Rows)
	require.Equal(t, 3, f.State().Input.Lines)
	write(t, f, 6, fault(5), vectorfile.Row{Line: 6, Vector: []float32{4, 5}})
	require.NoError(t, f.Finish())
	require.NoError(t, f.Close())
	s := f.State()
	require.Equal(t, []int{5, 2, 1, 30}, []int{s.Rows, s.Failed, s.Truncated, s.Tokens})

	text, err := os.ReadFile(f.Errors())
	require.NoError(t, err)
	lines := strings.Split(string(text), "\n")
	require.Len(t, lines, 3)
	require.JSONEq(t, `{"line":1,"index":0,"id":"no","error":{"code":"invalid_argument","message":"it is empty","retryable":false}}`, lines[0])
	require.JSONEq(t, `{"line":5,"index":3,"id":"no","error":{"code":"invalid_argument","message":"it is empty","retryable":false}}`, lines[1])
	left, err := os.ReadDir(filepath.Dir(name))
	require.NoError(t, err)
	require.Len(t, left, 2, "the file and its errors")
	return name
}

func TestNPY(t *testing.T) {
	t.Parallel()
	got, err := os.ReadFile(made(t, ".npy", vectorfile.NPY))
	require.NoError(t, err)
	header := "{'descr': '<f4', 'fortran_order': False, 'shape': (5, 2), }"
	want := "\x93NUMPY\x01\x00\x76\x00" + header + strings.Repeat(" ", 128-10-1-len(header)) + "\n" +
		"\x00\x00\x00\x00\x00\x00\x00\x00" + // 0, 0
		"\x00\x00\x80\x3f\x00\x00\x00\xc0" + // 1, -2
		"\xcd\xcc\xcc\x3d\x59\xd9\x00\x33" + // 0.1, 3e-8
		"\x00\x00\x00\x00\x00\x00\x00\x00" +
		"\x00\x00\x80\x40\x00\x00\xa0\x40" // 4, 5
	require.Equal(t, want, string(got))
}

func TestJSONL(t *testing.T) {
	t.Parallel()
	got, err := os.ReadFile(made(t, ".jsonl", vectorfile.JSONL))
	require.NoError(t, err)
	fault := `"id":"no","error":{"code":"invalid_argument","message":"it is empty","retryable":false}}`
	require.Equal(t, `{"index":0,`+fault+"\n"+
		`{"index":1,"id":"b\u00e9","embedding":[1,-2]}`+"\n"+
		`{"index":2,"id":12,"embedding":[0.1,3e-08],"truncated":{"tokens":9,"used":5}}`+"\n"+
		`{"index":3,`+fault+"\n"+
		`{"index":4,"embedding":[4,5]}`+"\n", string(got))
}

func TestParquet(t *testing.T) {
	t.Parallel()
	name := made(t, ".parquet", vectorfile.Parquet)
	type row struct {
		ID        string    `parquet:"id"`
		Index     int64     `parquet:"index"`
		Embedding []float32 `parquet:"embedding,optional,list"`
	}
	rows, err := parquet.ReadFile[row](name)
	require.NoError(t, err)
	require.Equal(t, []row{{ID: "no"}, {"bé", 1, []float32{1, -2}}, {"12", 2, []float32{0.1, 3e-8}}, {ID: "no", Index: 3}, {"", 4, []float32{4, 5}}}, rows)
	file, err := os.Open(name)
	require.NoError(t, err)
	defer file.Close()
	info, err := file.Stat()
	require.NoError(t, err)
	read, err := parquet.OpenFile(file, info.Size())
	require.NoError(t, err)
	said, _ := read.Lookup("space")
	require.Equal(t, "a/m/2", said)
}

// Groups of rows are bounded, so that writing and reading takes no more memory for a larger file.
func TestParquetRowGroups(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "large.parquet")
	f := open(t, name, vectorfile.Parquet)
	vector := make([]float32, 1<<16)
	for i := range 200 {
		vector[0] = float32(i)
		require.NoError(t, f.Append([]vectorfile.Row{{Line: i + 1, Vector: vector}}, vectorfile.Space{ID: "a", Model: "a", Dimensions: len(vector)}, 0, corpus.Position{}))
	}
	require.NoError(t, f.Finish())
	require.NoError(t, f.Close())
	file, err := os.Open(name)
	require.NoError(t, err)
	defer file.Close()
	info, err := file.Stat()
	require.NoError(t, err)
	read, err := parquet.OpenFile(file, info.Size())
	require.NoError(t, err)
	require.EqualValues(t, 200, read.NumRows())
	require.GreaterOrEqual(t, len(read.RowGroups()), 3)
}

func TestAnotherSpaceIsNotMixed(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "v.npy")
	f := open(t, name, vectorfile.NPY)
	write(t, f, 1, vectorfile.Row{Line: 1, Vector: []float32{1, 2}})
	for _, other := range []vectorfile.Space{{ID: "b/m/2", Model: "b/m", Dimensions: 2}, {ID: "a/m/2", Model: "a/m", Dimensions: 3}} {
		err := f.Append([]vectorfile.Row{{Line: 2, Vector: make([]float32, other.Dimensions)}}, other, 1, corpus.Position{})
		require.ErrorIs(t, err, vectorfile.ErrSpace)
	}
	require.ErrorContains(t, f.Append([]vectorfile.Row{{Line: 2, Vector: []float32{1}}}, space(), 1, corpus.Position{}), "line 2 has 1 numbers")
	require.NoError(t, f.Checkpoint())
	require.NoError(t, f.Close())
	f = open(t, name, vectorfile.NPY) // and not after another start
	require.ErrorIs(t, f.Append([]vectorfile.Row{{Line: 2, Vector: []float32{1, 2}}}, vectorfile.Space{ID: "b/m/2", Model: "b/m", Dimensions: 2}, 1, corpus.Position{}), vectorfile.ErrSpace)
	require.NoError(t, f.Close())
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "v.npy")
	f := open(t, name, vectorfile.NPY)
	_, err := vectorfile.Open(name, vectorfile.Ask{Format: vectorfile.NPY, Model: "a/m"}, false)
	require.ErrorIs(t, err, vectorfile.ErrBusy)
	write(t, f, 1, vectorfile.Row{Line: 1, Vector: []float32{1, 2}})
	require.NoError(t, f.Checkpoint())
	require.NoError(t, f.Close())

	_, err = vectorfile.Open(name, vectorfile.Ask{Format: vectorfile.NPY, Model: "b/m"}, false)
	require.ErrorIs(t, err, vectorfile.ErrOther)
	require.ErrorContains(t, err, `--model was "a/m", and is "b/m" now`)
	require.NoError(t, os.WriteFile(name+".part", nil, 0o600))
	_, err = vectorfile.Open(name, vectorfile.Ask{Format: vectorfile.NPY, Model: "a/m"}, false)
	require.ErrorContains(t, err, "has 0 bytes, and 136 were written")
	require.NoError(t, os.WriteFile(name+".progress", []byte("{"), 0o600))
	_, err = vectorfile.Open(name, vectorfile.Ask{Format: vectorfile.NPY, Model: "a/m"}, false)
	require.ErrorContains(t, err, "cannot be read")

	f, err = vectorfile.Open(name, vectorfile.Ask{Format: vectorfile.NPY, Model: "b/m"}, true)
	require.NoError(t, err)
	write(t, f, 1, vectorfile.Row{Line: 1, Vector: []float32{1, 2}})
	require.NoError(t, f.Finish())
	require.NoError(t, f.Close())
	_, err = vectorfile.Open(name, vectorfile.Ask{Format: vectorfile.NPY, Model: "b/m"}, false)
	require.ErrorIs(t, err, vectorfile.ErrThere)
	require.ErrorContains(t, err, "v.npy")
}

// A process that ended between the steps of finishing leaves what the next one makes whole.
func TestEndWhileFinishing(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "v.parquet")
	f := open(t, name, vectorfile.Parquet)
	write(t, f, 1, vectorfile.Row{Line: 1, Vector: []float32{1, 2}})
	require.NoError(t, f.Checkpoint())
	progress, err := os.ReadFile(name + ".progress")
	require.NoError(t, err)
	part, err := os.ReadFile(name + ".part")
	require.NoError(t, err)
	require.NoError(t, f.Finish())
	require.NoError(t, f.Close())
	want, err := os.ReadFile(name)
	require.NoError(t, err)
	whole := []byte(strings.Replace(string(progress), "{", `{"whole":true,`, 1))

	// Before it has its name, and after that, before the half-written one is gone.
	for _, there := range []bool{false, true} {
		if !there {
			require.NoError(t, os.Remove(name))
		}
		require.NoError(t, os.WriteFile(name+".progress", whole, 0o600))
		require.NoError(t, os.WriteFile(name+".part", part, 0o600))
		f = open(t, name, vectorfile.Parquet)
		require.Equal(t, 1, f.State().Rows)
		require.NoError(t, f.Finish())
		require.NoError(t, f.Close())
		got, err := os.ReadFile(name)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	// Before it is forgotten how far it had come.
	require.NoError(t, os.WriteFile(name+".progress", whole, 0o600))
	_, err = vectorfile.Open(name, vectorfile.Ask{Format: vectorfile.Parquet, Model: "a/m"}, false)
	require.ErrorIs(t, err, vectorfile.ErrThere)
	require.NoFileExists(t, name+".progress")
}

func TestNothingIsLeftOfNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	f := open(t, filepath.Join(dir, "v.npy"), vectorfile.NPY)
	require.NoError(t, f.Checkpoint())
	require.NoError(t, f.Close())
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, left)
}

// Of a file that is given up nothing is left, whatever was on the disk by then.
func TestDiscard(t *testing.T) {
	t.Parallel()
	for end, format := range map[string]vectorfile.Format{".npy": vectorfile.NPY, ".jsonl": vectorfile.JSONL, ".parquet": vectorfile.Parquet} {
		name := filepath.Join(t.TempDir(), "vectors"+end)
		f := open(t, name, format)
		write(t, f, 2, vectorfile.Row{Line: 1, Vector: []float32{1, 2}}, fault(2))
		require.NoError(t, f.Checkpoint())
		require.NoError(t, f.Discard())
		left, err := os.ReadDir(filepath.Dir(name))
		require.NoError(t, err)
		require.Empty(t, left)
	}
}

func TestFormatOf(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]vectorfile.Format{"a.npy": vectorfile.NPY, "b.JSONL": vectorfile.JSONL, "c.ndjson": vectorfile.JSONL, "d.x.parquet": vectorfile.Parquet} {
		got, err := vectorfile.FormatOf(name)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	_, err := vectorfile.FormatOf("vectors.csv")
	require.ErrorContains(t, err, "--format")
}
