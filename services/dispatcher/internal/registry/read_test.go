package registry_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/registry"
)

func TestListsComeInPages(t *testing.T) {
	t.Parallel()
	r := newStack(t).start(t, func(cfg *registry.Config) {
		cfg.Status = func(id string) events.EndpointStatus {
			return events.EndpointStatus{State: "active", Reason: "of " + id}
		}
	})
	for _, id := range []string{"b", "d", "a", "c"} {
		r.create(t, spec(id))
	}
	for _, test := range []struct {
		req  events.EndpointsListRequest
		ids  string
		next string
	}{
		{events.EndpointsListRequest{}, "a b c d", ""},
		{events.EndpointsListRequest{Limit: 4}, "a b c d", ""},
		{events.EndpointsListRequest{Limit: 3}, "a b c", "c"},
		{events.EndpointsListRequest{Limit: 2, After: "a"}, "b c", "c"},
		{events.EndpointsListRequest{After: "bb"}, "c d", ""},
		{events.EndpointsListRequest{After: "d"}, "", ""},
		{events.EndpointsListRequest{After: "zzz"}, "", ""},
	} {
		page, err := r.List(test.req)
		require.NoError(t, err)
		var ids []string
		for _, e := range page.Endpoints {
			ids = append(ids, e.ID)
			require.Equal(t, "of "+e.ID, e.Status.Reason)
		}
		require.Equal(t, test.ids, strings.Join(ids, " "))
		require.Equal(t, test.next, page.Next)
		require.NotNil(t, page.Endpoints)
	}
	_, err := r.List(events.EndpointsListRequest{Limit: 1001})
	refused(t, err, events.CodeInvalidArgument, "limit")
	_, err = r.Get(events.EndpointRequest{ID: "a b"})
	refused(t, err, events.CodeInvalidArgument, "id")
}

func TestViewsHideWhatMayBeSecret(t *testing.T) {
	t.Parallel()
	r := newStack(t).start(t)
	wanted := spec("orders")
	wanted.URL = "https://user:" + canary + "@receiver.example/hook?token=" + canary
	wanted.Headers = map[string]string{"Authorization": "Bearer " + canary}
	changed, _ := r.create(t, wanted)
	harmless(t, changed)
	list, err := r.List(events.EndpointsListRequest{})
	require.NoError(t, err)
	harmless(t, list)
	e, _ := r.Set().Get("orders")
	require.Contains(t, e.URL().String(), canary, "it is still where webhooks are posted to")
	harmless(t, r.update(t, "orders", `{"timeout":"3s"}`))
	e, _ = r.Set().Get("orders")
	require.Contains(t, e.URL().String(), canary, "a change of something else keeps it")
}

func TestDecodeRefusesWhatWouldBeIgnored(t *testing.T) {
	t.Parallel()
	var req events.EndpointCreateRequest
	require.NoError(t, registry.Decode([]byte(`{"endpoint":{"id":"a","url":"https://x.example/"},"dry_run":true}`), &req))
	require.True(t, req.DryRun)
	for body, words := range map[string]string{
		``:                                 "empty",
		`{"endpoint":{"id":"a"`:            "JSON",
		`{"endpoint":{"idd":"a"}}`:         "endpoint.idd",
		`{"Endpoint":{}}`:                  "Endpoint",
		`{"dry_run":"yes"}`:                "dry_run",
		`{"dry_run":true,"dry_run":1}`:     "dry_run",
		`{"endpoint":{"id":"a","id":"b"}}`: "twice",
		`{"x\u0007` + strings.Repeat("y", 200) + `":1}`: "x?yyy",
	} {
		err := registry.Decode([]byte(body), &events.EndpointCreateRequest{})
		refused(t, err, events.CodeInvalidArgument, words)
		require.Less(t, len(err.Error()), 250)
	}
}
