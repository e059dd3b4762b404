package corpus_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/cmd/mlsdmctl/internal/corpus"
)

// all reads to the end, as "line id text" or "line ! error".
func all(t *testing.T, r *corpus.Reader) []string {
	t.Helper()
	var got []string
	for {
		item, err := r.Next()
		if errors.Is(err, io.EOF) {
			return got
		}
		require.NoError(t, err)
		if item.Err != nil {
			got = append(got, fmt.Sprintf("%d ! %v", item.Line, item.Err))
			continue
		}
		got = append(got, fmt.Sprintf("%d %s %s", item.Line, item.ID, item.Text))
	}
}

func TestLines(t *testing.T) {
	t.Parallel()
	r := corpus.New(iotest.OneByteReader(strings.NewReader("\ufeffone\r\n\n  \n two \n\xff\nlast")), corpus.Format{})
	require.Equal(t, []string{"1  one", "4   two ", "5 ! the line is not valid UTF-8", "6  last"}, all(t, r))
	require.Equal(t, 6, r.Position().Lines)
	require.Equal(t, 2, r.Position().Empty)
	require.Empty(t, all(t, corpus.New(strings.NewReader(""), corpus.Format{})))
}

func TestJSONL(t *testing.T) {
	t.Parallel()
	in := strings.Join([]string{
		`{"text":"a\u00e9","id":"x"}`, `{"text":"b","id":12}`, ``, `{"text":"","id":3}`, `{"body":"c","id":4}`, `nonsense`, `null`, `[1]`,
		`{"text":7,"id":5}`, `{"text":null,"id":5}`, `{"text":"d"}`, `{"text":"e","id":{}}`, `{}`, `{"text":"f","id":"` + strings.Repeat("x", 5000) + `"}`,
	}, "\n")
	require.Equal(t, []string{
		`1 "x" aé`, `2 12 b`, `4 ! field "text" is empty`, `5 ! there is no field "text", only body, id; --field chooses another`,
		`6 ! the line is no JSON object`, `7 ! the line is no JSON object`, `8 ! the line is no JSON object`, `9 ! field "text" is no string`,
		`10 ! field "text" is no string`, `11 ! there is no field "id", only text; --id-field chooses another`,
		`12 ! field "id" is neither a string nor a number`, `13 ! there is no field "id": the object is empty`,
		`14 ! field "id" has 5002 bytes; at most 4096 are a name`,
	}, all(t, corpus.New(strings.NewReader(in), corpus.Format{JSONL: true, Field: "text", IDField: "id"})))
}

// A line that is too long is passed over, and those behind it are read.
func TestLongLine(t *testing.T) {
	t.Parallel()
	in := io.MultiReader(strings.NewReader("a\n"), io.LimitReader(endless{}, corpus.MaxLine+1), strings.NewReader("\nb\n"))
	require.Equal(t, []string{"1  a", "2 ! the line has more than 16777216 bytes", "3  b"}, all(t, corpus.New(in, corpus.Format{})))
}

// endless is a line without an end.
type endless struct{}

func (endless) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = 'x'
	}
	return len(b), nil
}

func TestSkip(t *testing.T) {
	t.Parallel()
	const text = "one\n\ntwo\nthree\n"
	first := corpus.New(strings.NewReader(text), corpus.Format{})
	for range 2 {
		_, err := first.Next()
		require.NoError(t, err)
	}
	at := first.Position()

	again := corpus.New(strings.NewReader(text+"four"), corpus.Format{})
	require.NoError(t, again.Skip(at))
	require.Equal(t, at, again.Position())
	require.Equal(t, []string{"4  three", "5  four"}, all(t, again))

	require.ErrorIs(t, corpus.New(strings.NewReader("one\n\ntwO\nthree\n"), corpus.Format{}).Skip(at), corpus.ErrChanged)
	err := corpus.New(strings.NewReader("one\n"), corpus.Format{}).Skip(at)
	require.ErrorIs(t, err, corpus.ErrChanged)
	require.ErrorContains(t, err, "it has 4 bytes, and 9 were read before")
	broken := errors.New("the disk is gone")
	require.ErrorIs(t, corpus.New(iotest.ErrReader(broken), corpus.Format{}).Skip(at), broken)
	_, err = corpus.New(iotest.ErrReader(broken), corpus.Format{}).Next()
	require.ErrorIs(t, err, broken)
}
