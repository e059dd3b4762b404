package secret_test

import (
	"bytes"
	"context"
	"encoding"
	"encoding/gob"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
)

const canary = "sk-canary-31337"

// holder has a Value in every place where reflection could find it.
type holder struct {
	Exported secret.Value
	Pointer  *secret.Value
	Slice    []secret.Value
	Map      map[string]secret.Value
	Any      any
	hidden   secret.Value
	hiddenP  *secret.Value
}

// source is a content that changes, in reach of whoever follows every pointer but not of fmt.
type source struct{ text string }

// Current implements [secret.Source].
func (s source) Current() string { return s.text }

// Renew implements [secret.Source].
func (s source) Renew(context.Context, string) {}

// values are all kinds of values that have a content.
func values(t *testing.T) map[string]secret.Value {
	t.Helper()
	reference, err := secret.NewReference("secret:name")
	require.NoError(t, err)
	reference.Bind(source{canary})
	return map[string]secret.Value{
		"plain": secret.NewValue(canary), "live": secret.Live(source{canary}), "live pointer": secret.Live(&source{canary}),
		"reference": secret.Live(reference),
	}
}

func newHolder(v secret.Value) holder {
	return holder{
		Exported: v, Pointer: &v, Slice: []secret.Value{v}, Map: map[string]secret.Value{"k": v}, Any: v,
		hidden: v, hiddenP: &v,
	}
}

type element struct {
	Key  secret.Value
	Attr secret.Value `xml:",attr"`
}

// requireNoCanary looks for the content in plain text, in hexadecimal and as Go and decimal byte lists.
func requireNoCanary(t *testing.T, printed string) {
	t.Helper()
	require.NotEmpty(t, printed)
	for _, form := range []string{
		canary,
		fmt.Sprintf("%x", canary), fmt.Sprintf("%X", canary), fmt.Sprintf("% x", canary),
		fmt.Sprintf("%v", []byte(canary)), fmt.Sprintf("%d", []byte(canary)),
		"canary",
	} {
		require.NotContains(t, printed, form)
	}
}

func TestValueKeepsItsContent(t *testing.T) {
	t.Parallel()
	v := secret.NewValue(canary)
	require.Equal(t, canary, v.Reveal())
	require.False(t, v.IsZero())

	var zero secret.Value
	require.True(t, zero.IsZero())
	require.Empty(t, zero.Reveal())
	require.True(t, secret.NewValue("").IsZero())

	var unmarshaler encoding.TextUnmarshaler = &zero
	require.NoError(t, unmarshaler.UnmarshalText([]byte(canary)))
	require.Equal(t, canary, zero.Reveal())
	require.NoError(t, unmarshaler.UnmarshalText(nil))
	require.True(t, zero.IsZero())
}

func TestValueIsNeverFormatted(t *testing.T) {
	t.Parallel()
	for kind, v := range values(t) {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			requireNeverFormatted(t, v)
		})
	}
}

func requireNeverFormatted(t *testing.T, v secret.Value) {
	t.Helper()
	h := newHolder(v)
	subjects := map[string]any{
		"value": h.Exported, "pointer": h.Pointer, "struct": h, "struct pointer": &h,
		"slice": h.Slice, "map": h.Map, "nested": []any{h, &h, map[string]any{"h": h}},
		"hidden": struct{ v any }{h.hidden}, "hidden pointer": struct{ v any }{h.hiddenP},
	}
	for name, subject := range subjects {
		for _, verb := range []string{
			"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T|%[1]v", "%t", "%c", "%U", "%o", "%b", "%e", "%p|%[1]s",
			"%10v", "%-40s|", "%.3s", "% x", "%#x", "%+q", "%!", "%[1]v %[1]s",
		} {
			t.Run(name+" "+verb, func(t *testing.T) {
				t.Parallel()
				requireNoCanary(t, fmt.Sprintf(verb, subject))
			})
		}
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		require.Equal(t, secret.Redacted, fmt.Sprintf(verb, h.Exported))
	}
	require.Equal(t, secret.Redacted, fmt.Sprint(h.Exported))
	require.Equal(t, secret.Redacted, h.Exported.String())
	require.Equal(t, secret.Redacted, h.Exported.GoString())
}

func TestValueIsNeverMarshaled(t *testing.T) {
	t.Parallel()
	for kind, v := range values(t) {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			requireNeverMarshaled(t, newHolder(v))
		})
	}
}

func requireNeverMarshaled(t *testing.T, h holder) {
	t.Helper()
	out, err := json.Marshal(h)
	require.NoError(t, err)
	requireNoCanary(t, string(out))
	require.Contains(t, string(out), `"Exported":"[redacted]"`)

	out, err = yaml.Marshal(h)
	require.NoError(t, err)
	requireNoCanary(t, string(out))

	out, err = xml.Marshal(element{Key: h.Exported, Attr: h.Exported})
	require.NoError(t, err)
	requireNoCanary(t, string(out))

	var buf bytes.Buffer
	require.NoError(t, gob.NewEncoder(&buf).Encode(struct{ Key secret.Value }{h.Exported}))
	requireNoCanary(t, buf.String())

	out, err = h.Exported.MarshalText()
	require.NoError(t, err)
	require.Equal(t, secret.Redacted, string(out))
}

func TestValueIsNeverLogged(t *testing.T) {
	t.Parallel()
	for kind, v := range values(t) {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			requireNeverLogged(t, newHolder(v))
		})
	}
}

func requireNeverLogged(t *testing.T, h holder) {
	t.Helper()
	var buf bytes.Buffer
	options := &slog.HandlerOptions{Level: slog.LevelDebug}
	for _, handler := range []slog.Handler{slog.NewTextHandler(&buf, options), slog.NewJSONHandler(&buf, options)} {
		log := slog.New(handler)
		log.Info("m", "value", h.Exported, "pointer", h.Pointer, "holder", h, "holder_pointer", &h, "slice", h.Slice, "map", h.Map)
		log.With("key", h.Exported).WithGroup("g").Error("m", "err", fmt.Errorf("key %v: %w", h.Exported, errors.New("refused")))
	}
	require.Contains(t, buf.String(), secret.Redacted)
	requireNoCanary(t, buf.String())
}

func TestValueIsNeverInAnError(t *testing.T) {
	t.Parallel()
	for kind, v := range values(t) {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			requireNeverInAnError(t, v)
		})
	}
}

func requireNeverInAnError(t *testing.T, v secret.Value) {
	t.Helper()
	err := fmt.Errorf("calling with %v (%+v, %#v, %s, %q): %w", v, &v, newHolder(v), v, v, errors.New("refused"))
	requireNoCanary(t, err.Error())
	requireNoCanary(t, fmt.Sprintf("%+v", errors.Join(err, err)))

	defer func() { requireNoCanary(t, fmt.Sprint(recover())) }()
	panic(v)
}
