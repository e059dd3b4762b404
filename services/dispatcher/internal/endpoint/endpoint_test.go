package endpoint_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/pkg/webhook"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/endpoint"
)

func TestParseURL(t *testing.T) {
	t.Parallel()
	for _, good := range []string{
		"https://example.com", "http://example.com:8080/hook?token=x", "https://user:pass@example.com/", "http://[::1]:80/", "HTTPS://EXAMPLE.com",
	} {
		_, err := endpoint.ParseURL(good)
		require.NoError(t, err, good)
	}
	for bad, want := range map[string]string{
		"":                             "scheme",
		"example.com/s3cret":           "scheme",
		"ftp://example.com/s3cret":     "scheme",
		"file:///etc/s3cret":           "scheme",
		"https:///s3cret":              "no host",
		"https://:443/s3cret":          "no host",
		"https://example.com/#s3cret":  "fragment",
		"https://example.com/%zz":      "not a URL",
		"https://exa mple.com/s3cret":  "not a URL",
		"https://example.com:x/s3cret": "not a URL",
		"http://example.com/\ns3cret":  "not a URL",
	} {
		_, err := endpoint.ParseURL(bad)
		require.ErrorContains(t, err, want, bad)
		require.NotContains(t, err.Error(), "s3cret")
	}
}

func TestWants(t *testing.T) {
	t.Parallel()
	tests := []struct {
		patterns  string
		eventType string
		want      bool
	}{
		{">", "ci.degraded", true},
		{">", "custom.a.b.c", true},
		{"*", "custom.a", false},
		{"*", "deploy", true},
		{"ci.*", "ci.degraded", true},
		{"ci.*", "ci", false},
		{"ci.*", "ci.run.failed", false},
		{"ci.*", "cid.degraded", false},
		{"ci.>", "ci.run.failed", true},
		{"ci.>", "ci", false},
		{"*.degraded", "ci.degraded", true},
		{"*.degraded", "ci.degraded.v2", false},
		{"ci.degraded", "ci.degraded", true},
		{"ci.degraded", "ci.recovered", false},
		{"ci.degraded", "CI.degraded", false},
		{"ci.degraded ci.recovered", "ci.recovered", true},
		{"", "ci.degraded", false},
		// No echoes: by name, or not at all.
		{">", "delivery.failed", false},
		{"*.*", "delivery.failed", false},
		{"delivery.*", "delivery.failed", false},
		{"delivery.>", "delivery.failed", false},
		{"> endpoint.disabled", "endpoint.disabled", true},
		{">", "endpoint.recovered", false},
		{"delivery.failed", "delivery.failed", true},
		{"delivery.failed", "delivery.failed.v2", false},
		{">", "delivery.failed.v2", true}, // not of the catalogue: somebody's own
	}
	for _, tt := range tests {
		e := endpoint.Endpoint{ID: "a", Patterns: strings.Fields(tt.patterns)}
		got := e.Wants(events.Event{Type: tt.eventType, Data: []byte(`{"endpoint_id":"b"}`)})
		require.Equal(t, tt.want, got, "%q on %q", tt.patterns, tt.eventType)
	}
}

func TestWantsNothingAboutItself(t *testing.T) {
	t.Parallel()
	e := endpoint.Endpoint{ID: "a", Patterns: []string{"delivery.failed", ">"}}
	about := func(data string) events.Event { return events.Event{Type: "delivery.failed", Data: []byte(data)} }
	require.False(t, e.Wants(about(`{"endpoint_id":"a"}`)))
	require.True(t, e.Wants(about(`{"endpoint_id":"b"}`)))
	require.True(t, e.Wants(about(`[]`)))
	require.True(t, e.Wants(about(``)))
}

func TestCheckPattern(t *testing.T) {
	t.Parallel()
	for _, good := range []string{">", "*", "ci.*", "*.*", "ci.>", "*.>", "custom.a-b_C.1"} {
		require.NoError(t, endpoint.CheckPattern(good), good)
	}
	for _, bad := range []string{"", ".", "ci.", ".ci", "ci..x", ">.ci", "ci.>.x", "ci*", "ci.x>", "c i", "ci.\n", "ключ", strings.Repeat("a", 200)} {
		require.Error(t, endpoint.CheckPattern(bad), bad)
	}
}

func TestSet(t *testing.T) {
	t.Parallel()
	s := endpoint.NewSet(
		endpoint.Endpoint{ID: "b", Patterns: []string{">"}},
		endpoint.Endpoint{ID: "a", Patterns: []string{"ci.*"}},
		endpoint.Endpoint{ID: "c"},
	)
	require.Equal(t, 3, s.Len())
	ids := func(list []endpoint.Endpoint) (ids []string) {
		for _, e := range list {
			ids = append(ids, e.ID)
		}
		return ids
	}
	require.Equal(t, []string{"a", "b", "c"}, ids(s.All()))
	require.Equal(t, []string{"a", "b"}, ids(s.For(events.Event{Type: "ci.degraded"})))
	require.Empty(t, endpoint.NewSet().For(events.Event{Type: "ci.degraded"}))
	_, ok := s.Get("a")
	require.True(t, ok)
	_, ok = s.Get("d")
	require.False(t, ok)
}

func TestViewHidesSecrets(t *testing.T) {
	t.Parallel()
	u, err := endpoint.ParseURL("https://user:s3cret@example.com/hook?token=s3cret&v=s3cret&v=2")
	require.NoError(t, err)
	hook, err := webhook.New("s3cret")
	require.NoError(t, err)
	e := endpoint.Endpoint{ID: "a", URL: u, Hook: hook, Patterns: []string{">"}, Source: endpoint.SourceEnvironment}
	require.Equal(t, events.Endpoint{
		EndpointSpec: events.EndpointSpec{ID: "a", URL: "https://***@example.com/hook?token=***&v=***", Events: []string{">"}}, Source: "environment",
	}, e.View())
	require.Contains(t, u.String(), "s3cret", "the endpoint itself must not change")
}
