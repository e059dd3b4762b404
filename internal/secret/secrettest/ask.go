package secrettest

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
)

// question is what is asked of a store: a key, and perhaps a field and a version of it.
type question struct{ key, field, version string }

// get asks.
func (s Subject) get(ctx context.Context, q question) (secret.Entry, error) {
	if s.Named != nil {
		name, err := secret.ParseName(q.key)
		if err != nil {
			return secret.Entry{}, err
		}
		return s.Named.Get(ctx, name)
	}
	ref := s.At(q.key)
	ref.Field, ref.Version = q.field, q.version
	return s.Store.Get(ctx, ref)
}

// ask asks with patience, and looks at what must hold for every answer.
func (s Subject) ask(t *testing.T, q question) (secret.Entry, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	entry, err := s.get(ctx, q)
	RequireQuiet(t, entry)
	if err != nil {
		require.True(t, entry.Value.IsZero(), "no value beside an error")
		RequireQuiet(t, err)
	}
	return entry, err
}

// requireValue asks for what must be there.
func (c Contract) requireValue(t *testing.T, s Subject, q question, want string) secret.Entry {
	t.Helper()
	entry, err := s.ask(t, q)
	require.NoError(t, err)
	require.Equal(t, want, entry.Value.Reveal())
	require.Equal(t, c.Source, entry.Source)
	return entry
}

// requireKind asks for what is not to be had, and checks that the error is of one kind and of no other.
func requireKind(t *testing.T, s Subject, q question, want error) {
	t.Helper()
	_, err := s.ask(t, q)
	RequireKind(t, err, want)
}

// RequireKind checks that an error is of one of the kinds of package secret, and of no other.
func RequireKind(t *testing.T, err, want error) {
	t.Helper()
	for _, kind := range []error{secret.ErrNotFound, secret.ErrUnavailable, secret.ErrGone, secret.ErrDenied, secret.ErrUnusable} {
		if errors.Is(kind, want) {
			require.ErrorIs(t, err, kind)
		} else {
			require.NotErrorIs(t, err, kind)
		}
	}
}

// RequireQuiet checks that no way to print or log subjects, or an error that one of them wraps, shows the [Canary].
func RequireQuiet(t *testing.T, subjects ...any) {
	t.Helper()
	var seen bytes.Buffer
	for _, subject := range subjects {
		show(&seen, subject)
	}
	RequireNoCanary(t, seen.String())
}

// show prints and logs in every way.
func show(to *bytes.Buffer, subject any) {
	fmt.Fprintf(to, "%v %+v %#v %q\n", subject, subject, subject, subject)
	for _, handler := range []slog.Handler{slog.NewTextHandler(to, nil), slog.NewJSONHandler(to, nil)} {
		slog.New(handler).LogAttrs(context.Background(), slog.LevelError, "m", slog.Any("subject", subject))
	}
	err, ok := subject.(error)
	if !ok {
		return
	}
	if inner := errors.Unwrap(err); inner != nil {
		show(to, inner)
	}
	if many, ok := subject.(interface{ Unwrap() []error }); ok {
		for _, inner := range many.Unwrap() {
			show(to, inner)
		}
	}
}

// RequireNoCanary checks that a text holds the [Canary] in no form.
func RequireNoCanary(t *testing.T, text string) {
	t.Helper()
	require.NotContains(t, text, Canary)
	require.NotContains(t, text, hex.EncodeToString([]byte(Canary)))
	for lead := range 3 { // base64 has three forms of a text, by where it begins; the bytes beside it show in the first and last
		encoded := base64.RawStdEncoding.EncodeToString([]byte("xx"[:lead] + Canary))
		require.NotContains(t, text, encoded[2*min(lead, 1)+lead/2:len(encoded)-2])
	}
	require.NotContains(t, text, strings.Trim(fmt.Sprintf("%d", []byte(Canary)), "[]"))
	require.NotContains(t, text, strings.TrimSuffix(strings.TrimPrefix(fmt.Sprintf("%#v", []byte(Canary)), "[]byte{"), "}"))
}
