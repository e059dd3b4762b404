package events_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// wantError checks that err is an *events.Error of the code, whose text holds all of the words.
func wantError(t *testing.T, err error, code events.Code, words ...string) {
	t.Helper()
	var e *events.Error
	if !errors.As(err, &e) {
		t.Fatalf("got %v (%T), want an error of code %s", err, err, code)
	}
	if e.Code != code {
		t.Fatalf("got code %s (%s), want %s", e.Code, e.Message, code)
	}
	for _, word := range words {
		if !strings.Contains(e.Message, word) {
			t.Fatalf("the message %q does not say %q", e.Message, word)
		}
	}
	const longest = 1024 // a message quotes no more of the input than a person can read
	if len(e.Message) > longest {
		t.Fatalf("the message has %d bytes", len(e.Message))
	}
}

// wantNoError stops the test on an error.
func wantNoError(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("got %v, want no error", err)
	}
}

// wantEqual compares two values.
func wantEqual[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Fatalf("%s is %v, want %v", what, got, want)
	}
}
