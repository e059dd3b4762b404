package delivery_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/delivery"
)

func event(t *testing.T) events.Event {
	t.Helper()
	ev, err := events.New("/mlsdm/ciwatch", events.EndpointRecovered{EndpointID: "x"})
	require.NoError(t, err)
	return ev
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	ev := event(t)
	published := time.Now().UTC().Truncate(time.Microsecond)
	d := delivery.New(ev, "default", published)
	require.Equal(t, 1, d.Attempt)
	require.NoError(t, events.CheckToken("delivery", d.ID))
	d = d.Next()
	d.FirstAttemptAt = published.Add(time.Second)

	header, body, err := d.Message()
	require.NoError(t, err)
	read, err := delivery.Read("default", header, body)
	require.NoError(t, err)
	require.Equal(t, d.ID, read.ID)
	require.Equal(t, d.MessageID(), read.MessageID())
	require.Equal(t, 2, read.Attempt)
	require.Equal(t, d.FirstAttemptAt, read.FirstAttemptAt)
	require.Equal(t, d.PublishedAt, read.PublishedAt)
	require.Equal(t, ev, read.Event)
}

// TestIDIsThatOfEventAndEndpoint: the same pair always has the same id, and no two pairs share one.
func TestIDIsThatOfEventAndEndpoint(t *testing.T) {
	t.Parallel()
	base := events.Event{ID: "1", Source: "/a"}
	id := func(ev events.Event, endpoint string) string { return delivery.New(ev, endpoint, time.Now()).ID }
	first, again := id(base, "e"), id(events.Event{ID: "1", Source: "/a", Data: []byte("1")}, "e")
	require.Equal(t, first, again)
	seen := map[string]bool{}
	for _, other := range []string{
		id(base, "e"), id(base, "f"), id(events.Event{ID: "2", Source: "/a"}, "e"), id(events.Event{ID: "1", Source: "/b"}, "e"),
		id(events.Event{ID: "a1", Source: "/"}, "e"), id(events.Event{ID: "", Source: "/a1"}, "e"), id(base, "e/a"),
	} {
		require.False(t, seen[other])
		seen[other] = true
	}
	d := delivery.New(base, "e", time.Time{})
	require.NotEqual(t, d.MessageID(), d.Next().MessageID())
	require.Equal(t, d.ID, d.Next().ID)
}

func TestReadByHand(t *testing.T) {
	t.Parallel()
	body := []byte(`{"specversion":"1.0","id":"1","source":"/a","type":"custom.x"}`)
	d, err := delivery.Read("default", nil, body)
	require.NoError(t, err)
	require.Equal(t, delivery.New(d.Event, "default", time.Time{}), d)

	d, err = delivery.Read("default", map[string][]string{
		events.HeaderFirstAttemptAt: {"yesterday"}, events.HeaderPublishedAt: {""}, "MLSDM-ATTEMPT": {"7"}, events.HeaderDelivery: {"mine"},
	}, body)
	require.NoError(t, err)
	require.Zero(t, d.FirstAttemptAt)
	require.Equal(t, 7, d.Attempt)
	require.Equal(t, "mine", d.ID)

	for _, bad := range []map[string][]string{
		{events.HeaderAttempt: {"0"}},
		{events.HeaderAttempt: {"-1"}},
		{events.HeaderAttempt: {"one"}},
		{events.HeaderAttempt: {"99999999999999999999"}},
		{events.HeaderDelivery: {"a.b"}},
		{events.HeaderDelivery: {">"}},
		{events.HeaderDelivery: {strings.Repeat("x", 1000)}},
	} {
		_, err := delivery.Read("default", bad, body)
		require.Equal(t, events.CodeInvalidArgument, events.CodeOf(err), bad)
	}
	for _, bad := range []string{"", "{", `"text"`, `{"specversion":"1.0"}`, "\xff"} {
		_, err := delivery.Read("default", nil, []byte(bad))
		require.Equal(t, events.CodeInvalidArgument, events.CodeOf(err), bad)
	}
}

func TestWebhookID(t *testing.T) {
	t.Parallel()
	id := func(id string) string { return delivery.WebhookID(events.Event{ID: id, Source: "/a"}) }
	for _, plain := range []string{"0195f2c8-1111-7000-8000-000000000000", "a", "A_b-1", strings.Repeat("x", 64)} {
		require.Equal(t, plain, id(plain))
	}
	for _, odd := range []string{"a.b", "a b", "ключ", strings.Repeat("x", 65), "a:b", "a/b", "a,b"} {
		require.Regexp(t, `^evt_[0-9a-f]{32}$`, id(odd))
		again := id(strings.Clone(odd))
		require.Equal(t, id(odd), again)
		require.NotEqual(t, id(odd), delivery.WebhookID(events.Event{ID: odd, Source: "/b"}))
	}
}
