package spaces_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/internal/spaces"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

func TestKey(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ model, revision, key string }{
		{"openai/text-embedding-3-small", "", "openai/text-embedding-3-small"},
		{"cohere/embed-v4.0", "", "cohere/embed-v4=2E0"},
		{"cohere/embed-v4.0", "2", "cohere/embed-v4=2E0.2"},
		{"a/b", "1.0", "a/b.1=2E0"},
		{"ollama/bge:latest", "", "ollama/bge=3Alatest"},
		{"x/@cf/a*b>c d", "", "x/=40cf/a=2Ab=3Ec=20d"},
		{"x/=2E", "", "x/=3D2E"},
		{"x/ä", "", "x/=C3=A4"},
	} {
		require.Equal(t, c.key, spaces.Key(c.model, c.revision))
		model, revision, ok := spaces.ParseKey(c.key)
		require.True(t, ok, c.key)
		require.Equal(t, c.model, model)
		require.Equal(t, c.revision, revision)
	}
	for _, key := range []string{"", ".", ".a", "a.", "a.b.c", "a=2e", "a=", "a=4", "a=GG", "a b", "a=61", "ä", "=3D="} {
		_, _, ok := spaces.ParseKey(key)
		require.False(t, ok, key)
	}
}

func FuzzParseKey(f *testing.F) {
	for _, key := range []string{"a/b.c", "=3D", "a=.=", "x=2", "=00.=FF"} {
		f.Add(key)
	}
	f.Fuzz(func(t *testing.T, key string) {
		if model, revision, ok := spaces.ParseKey(key); ok {
			require.Equal(t, key, spaces.Key(model, revision))
		}
		if key == "" {
			return
		}
		model, revision, ok := spaces.ParseKey(spaces.Key(key, key))
		require.True(t, ok)
		require.Equal(t, [2]string{key, key}, [2]string{model, revision})
	})
}

func TestValue(t *testing.T) {
	t.Parallel()
	pin := spaces.Pin{Model: "a/b", Revision: "2", Dimensions: 384, Provider: "a/b", PinnedAt: time.Date(2026, 11, 1, 2, 3, 4, 0, time.UTC)}
	value, err := pin.Encode()
	require.NoError(t, err)
	require.JSONEq(t, `{"model":"a/b","revision":"2","dimensions":384,"provider":"a/b","pinned_at":"2026-11-01T02:03:04Z"}`, string(value))
	got, err := spaces.Decode("a/b.2", value)
	require.NoError(t, err)
	require.Equal(t, pin, got)
	require.Equal(t, "a/b@2", got.Name())

	for _, bad := range []string{
		"", "{", "null", "7", `{"model":"a/b","revision":"2"}`, `{"model":"a/b","revision":"2","dimensions":65537}`,
		`{"model":"a/b","revision":"2","dimensions":-1}`, `{"model":"a/b","revision":"2","dimensions":1.5}`, `{"model":"a/c","revision":"2","dimensions":3}`,
		`{"model":"a/b","dimensions":3}`,
	} {
		got, err := spaces.Decode("a/b.2", []byte(bad))
		require.ErrorContains(t, err, "what is pinned for a/b@2 cannot be read", bad)
		require.Equal(t, spaces.Pin{Model: "a/b", Revision: "2"}, got)
	}
	_, err = spaces.Decode("a..b", value)
	require.ErrorContains(t, err, "no key of a model")
	for _, bad := range []spaces.Pin{{Dimensions: 1}, {Model: "a\xff", Dimensions: 1}, {Model: "a"}, {Model: "a", Dimensions: 65537}} {
		_, err := bad.Encode()
		require.Equal(t, events.CodeInvalidArgument, events.CodeOf(err))
	}
}

// bucket is a bucket with these values, and a bus.
func bucket(t *testing.T, values map[string]string) (*bus.Bus, *bus.KV) {
	t.Helper()
	b := bustest.Start(t).Connect(t, "test")
	kv, err := b.KV(t.Context(), events.BucketSpaces)
	require.NoError(t, err)
	for key, value := range values {
		_, err := kv.Put(t.Context(), key, []byte(value))
		require.NoError(t, err)
	}
	return b, kv
}

func names(entries []spaces.Entry) string {
	all := make([]string, len(entries))
	for i, e := range entries {
		all[i] = e.Name()
	}
	return strings.Join(all, " ")
}

func TestOperator(t *testing.T) {
	t.Parallel()
	b, kv := bucket(t, map[string]string{
		"b/x":   `{"model":"b/x","dimensions":8,"provider":"b/x","pinned_at":"2026-11-01T02:03:04Z"}`,
		"a/x.1": `{"model":"a/x","revision":"1","dimensions":4}`,
		"a/x.2": `{"model":"a/x","revision":"2","dimensions":5}`,
		"c/x":   `broken`,
		"a.b.c": `{}`,
	})
	entries, err := spaces.List(t.Context(), b)
	require.NoError(t, err)
	require.Equal(t, "a/x@1 a/x@2 b/x c/x", names(entries))
	require.Equal(t, 8, entries[2].Dimensions)
	require.NoError(t, entries[2].Err)
	require.Error(t, entries[3].Err)

	// Forgotten: the next answer is pinned.
	before, err := spaces.Forget(t.Context(), b, "b/x")
	require.NoError(t, err)
	require.Equal(t, 8, before.Dimensions)
	_, _, err = kv.Get(t.Context(), "b/x")
	require.ErrorIs(t, err, bus.ErrNotFound)
	_, err = spaces.Accept(t.Context(), b, "b/x", 0)
	require.Equal(t, events.CodeNotFound, events.CodeOf(err))
	require.ErrorContains(t, err, `nothing is pinned for "b/x"; there is: a/x@1, a/x@2, c/x`)

	// Another length, said at once.
	before, err = spaces.Accept(t.Context(), b, "a/x@2", 7)
	require.NoError(t, err)
	require.Equal(t, 5, before.Dimensions)
	before, err = spaces.Accept(t.Context(), b, "c/x", 9)
	require.NoError(t, err)
	require.Error(t, before.Err, "a broken value is mended")
	for name, dimensions := range map[string]int{"d/y@3": 10, "e/@cf/z": 11, "f/@g": 12} {
		before, err = spaces.Accept(t.Context(), b, name, dimensions)
		require.NoError(t, err)
		require.Zero(t, before.Dimensions)
	}
	entries, err = spaces.List(t.Context(), b)
	require.NoError(t, err)
	require.Equal(t, "a/x@1 a/x@2 c/x d/y@3 e/@cf/z f/@g", names(entries))
	for i, want := range []int{4, 7, 9, 10, 11, 12} {
		require.NoError(t, entries[i].Err)
		require.Equal(t, want, entries[i].Dimensions)
	}
	require.Equal(t, "3", entries[3].Revision)
	require.Empty(t, entries[5].Revision)
	require.Empty(t, entries[1].Provider, "an operator said it")
	require.WithinDuration(t, time.Now(), entries[1].PinnedAt, time.Hour)

	_, err = spaces.Forget(t.Context(), b, "a/x")
	require.Equal(t, events.CodeFailedPrecondition, events.CodeOf(err))
	require.ErrorContains(t, err, "say which: a/x@1, a/x@2")
	_, err = spaces.Accept(t.Context(), b, "a/x", 3)
	require.Equal(t, events.CodeFailedPrecondition, events.CodeOf(err))
	_, err = spaces.Forget(t.Context(), b, "d/y")
	require.NoError(t, err, "only one of its revisions is pinned")
	for _, dimensions := range []int{-1, 65537} {
		_, err = spaces.Accept(t.Context(), b, "b/x", dimensions)
		require.Equal(t, events.CodeInvalidArgument, events.CodeOf(err))
	}
	_, err = spaces.Accept(t.Context(), b, "", 3)
	require.Equal(t, events.CodeInvalidArgument, events.CodeOf(err))
}

func TestNoBucket(t *testing.T) {
	t.Parallel()
	b := bustest.Start(t, bustest.Bare()).Connect(t, "test")
	_, err := spaces.List(t.Context(), b)
	require.Equal(t, events.CodeFailedPrecondition, events.CodeOf(err))
	_, err = spaces.Forget(t.Context(), b, "a/x")
	require.Equal(t, events.CodeFailedPrecondition, events.CodeOf(err))
}
