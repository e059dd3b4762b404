package sse_test

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/llm/sse"
)

// read returns all events as "name|data".
func read(r io.Reader) (list []string, err error) {
	reader := sse.NewReader(r)
	for {
		event, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return list, nil
		}
		if err != nil {
			return list, err
		}
		list = append(list, event.Name+"|"+string(event.Data))
	}
}

func TestReader(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		stream string
		want   []string
	}{
		"empty":                {"", nil},
		"one":                  {"data: a\n\n", []string{"|a"}},
		"no space":             {"data:a\n\n", []string{"|a"}},
		"one space only":       {"data:  a\n\n", []string{"| a"}},
		"CRLF":                 {"data: a\r\n\r\ndata: b\r\n\r\n", []string{"|a", "|b"}},
		"CR":                   {"data: a\r\rdata: b\r\r", []string{"|a", "|b"}},
		"lines are joined":     {"data: a\ndata: b\n\n", []string{"|a\nb"}},
		"empty data":           {"data\n\n", []string{"|"}},
		"names":                {"event: ping\ndata: a\n\ndata: b\n\n", []string{"ping|a", "|b"}},
		"name without data":    {"event: ping\n\ndata: b\n\n", []string{"|b"}},
		"comments, ids, retry": {": hi\n\nid: 1\nretry: 5\ndata: a\n: x\n\n", []string{"|a"}},
		"BOM":                  {"\ufeffdata: a\n\n", []string{"|a"}},
		"no last empty line":   {"data: a\n\ndata: b", []string{"|a", "|b"}},
		"colons in data":       {"data: {\"a\": 1}\n\n", []string{`|{"a": 1}`}},
		"many empty lines":     {"\n\n\ndata: a\n\n\n\n", []string{"|a"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := read(strings.NewReader(c.stream))
			require.NoError(t, err)
			require.Equal(t, c.want, got)
			got, err = read(iotest.OneByteReader(strings.NewReader(c.stream)))
			require.NoError(t, err)
			require.Equal(t, c.want, got, "byte by byte")
		})
	}
}

func TestReaderIsBounded(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", sse.MaxEvent-16)
	got, err := read(strings.NewReader("data: " + long + "\n\n"))
	require.NoError(t, err)
	require.Len(t, got, 1)
	for name, stream := range map[string]string{
		"line":  "data: a\n\ndata: " + long + long + "\n\n",
		"event": "data: a\n\ndata: " + long + "\ndata: " + long + "\n\n",
		"name":  "data: a\n\nevent: " + long + long + "\n\n",
	} {
		got, err = read(strings.NewReader(stream))
		require.ErrorIs(t, err, sse.ErrTooLarge, name)
		require.Equal(t, []string{"|a"}, got)
	}
}

func TestComments(t *testing.T) {
	t.Parallel()
	reader := sse.NewReader(strings.NewReader(": a\n\ndata: b\n:\n\n: c\n\n"))
	comments := 0
	reader.Comment = func() { comments++ }
	_, err := reader.Next()
	require.NoError(t, err)
	require.Equal(t, 2, comments)
	_, err = reader.Next()
	require.ErrorIs(t, err, io.EOF)
	require.Equal(t, 3, comments)
}

// A long line that comes in small pieces is searched once, and not as a whole for each piece: that would take minutes.
func TestReaderOfSmallPieces(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", sse.MaxEvent-16)
	got, err := read(iotest.OneByteReader(strings.NewReader("data: " + long + "\r\ndata: a\r\r")))
	require.NoError(t, err)
	require.Equal(t, []string{"|" + long + "\na"}, got)
}

// TestReaderOfLines of all lengths and with all ends, wherever that falls.
func TestReaderOfLines(t *testing.T) {
	t.Parallel()
	for _, end := range []string{"\n", "\r", "\r\n"} {
		var stream strings.Builder
		var want []string
		for length := range 2100 {
			text := strings.Repeat("x", length)
			stream.WriteString("data: " + text + end + end)
			want = append(want, "|"+text)
		}
		got, err := read(strings.NewReader(stream.String()))
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
}

// A million short lines that end in CR, all in memory at once: the LF that none of them has is not looked for anew in all of it.
func TestReaderOfManyLines(t *testing.T) {
	t.Parallel()
	many := strings.Repeat(":\r", sse.MaxEvent/2)
	got, err := read(strings.NewReader("data: " + strings.Repeat("x", sse.MaxEvent-16) + "\r\r" + many + "data: a\r\r"))
	require.NoError(t, err)
	require.Len(t, got, 2)
}

func TestReaderPassesOnErrors(t *testing.T) {
	t.Parallel()
	broken := errors.New("connection reset")
	got, err := read(io.MultiReader(strings.NewReader("data: a\n\ndata: b\n"), iotest.ErrReader(broken)))
	require.ErrorIs(t, err, broken)
	require.Equal(t, []string{"|a"}, got, "what was cut off is not an event")
}

func FuzzReader(f *testing.F) {
	f.Add("data: a\r\n\r\n: c\rdata: b\n\n")
	f.Fuzz(func(t *testing.T, stream string) {
		whole, err := read(strings.NewReader(stream))
		require.NoError(t, err)
		bytewise, err := read(iotest.OneByteReader(strings.NewReader(stream)))
		require.NoError(t, err)
		require.Equal(t, whole, bytewise)
	})
}
