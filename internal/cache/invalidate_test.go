package cache_test

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/cache"
	"github.com/neuron7x/mlsdm-integrations/internal/cache/redistest"
)

// wire carries messages to all who listen, at once.
type wire struct {
	mu       sync.Mutex
	handlers []func([]byte)
	sent     [][]byte
	broken   error
}

func (w *wire) Publish(_ context.Context, message []byte) error {
	w.mu.Lock()
	handlers, broken := w.handlers, w.broken
	w.sent = append(w.sent, message)
	w.mu.Unlock()
	if broken != nil {
		return broken
	}
	for _, handle := range handlers {
		handle(message)
	}
	return nil
}

func (w *wire) Subscribe(_ context.Context, handle func([]byte)) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.handlers = append(w.handlers, handle)
	return w.broken
}

func TestWhatIsDeletedIsDeletedEverywhere(t *testing.T) {
	t.Parallel()
	addr, name, between := redistest.Addr(t), space(), &wire{}
	first, one, _ := replica(t, at(addr), name, cache.Options{})
	second, two, _ := replica(t, at(addr), name, cache.Options{})
	require.NoError(t, first.Follow(t.Context(), between))
	require.NoError(t, second.Follow(t.Context(), between))
	for _, n := range []*cache.Namespace{one, two} {
		set(t, n, "a:1", "v")
		set(t, n, "a:2", "v")
		set(t, n, "b:1", "v")
	}
	require.NoError(t, one.Delete(t.Context(), "a:1"))
	require.Empty(t, get(t, two, "a:1"))
	require.Equal(t, "v", get(t, two, "a:2"))
	_, err := one.DeletePrefix(t.Context(), "a:")
	require.NoError(t, err)
	require.Empty(t, get(t, two, "a:2"))
	require.Equal(t, "v", get(t, two, "b:1"))
	_, err = second.Clear(t.Context(), name)
	require.NoError(t, err)
	require.Empty(t, get(t, one, "b:1"))
	require.Equal(t, []uint64{2, 1, 1, 2}, []uint64{one.Stats().Told, one.Stats().Heard, two.Stats().Told, two.Stats().Heard}, "nobody hears himself")

	var many []string
	for i := range 2000 {
		key := strings.Repeat("k", 50) + strconv.Itoa(i)
		many = append(many, key)
		set(t, two, key, "v")
	}
	between.sent = nil
	require.NoError(t, one.Delete(t.Context(), many...))
	require.Empty(t, get(t, two, many[0]))
	require.Empty(t, get(t, two, many[1999]))
	require.Greater(t, len(between.sent), 3)
	for _, message := range between.sent {
		require.LessOrEqual(t, len(message), cache.MaxInvalidation)
	}
	require.Error(t, one.Delete(t.Context(), "\xff"))
	require.Error(t, one.Delete(t.Context(), strings.Repeat("x", cache.MaxInvalidation)))
	between.broken = errors.New("no wire")
	require.ErrorContains(t, one.Delete(t.Context(), "x"), "no wire")
	require.ErrorContains(t, first.Follow(t.Context(), between), "no wire")
}

func TestMessagesThatMeanNothing(t *testing.T) {
	t.Parallel()
	between := &wire{}
	c, n, _ := replica(t, settings(), "x", cache.Options{})
	require.NoError(t, c.Follow(t.Context(), between))
	set(t, n, "k", "v")
	for _, message := range []string{
		"", "null", "nonsense", "[]", `{"v":1}`, `{"v":2,"origin":"o","namespace":"x","keys":["k"]}`, `{"v":1,"origin":"o","namespace":"y","keys":["k"]}`,
		`{"v":1,"origin":"o","namespace":"x"}`, `{"v":1,"origin":"o","namespace":"x","keys":[1]}`, `{"v":"1","origin":"o","namespace":"x","prefix":""}`,
		`{"v":1,"origin":"o","namespace":"x","prefix":""` + strings.Repeat(" ", cache.MaxInvalidation) + `}`,
	} {
		require.NoError(t, between.Publish(t.Context(), []byte(message)))
		require.Equal(t, "v", get(t, n, "k"), message)
	}
	require.NoError(t, between.Publish(t.Context(), []byte(`{"v":1,"origin":"o","namespace":"x","keys":["k"],"more":true}`)))
	require.Empty(t, get(t, n, "k"))
}
