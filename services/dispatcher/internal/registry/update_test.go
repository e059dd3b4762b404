package registry_test

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/registry"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/target"
)

// update changes an endpoint that is there.
func (r *replica) update(t *testing.T, id, patch string) events.EndpointChanged {
	t.Helper()
	changed, err := r.Update(t.Context(), events.EndpointUpdateRequest{ID: id, Endpoint: []byte(patch), RecipientKey: newKey(t).Public()})
	require.NoError(t, err, patch)
	return changed
}

func TestAMergePatchChangesWhatItNames(t *testing.T) {
	t.Parallel()
	r := newStack(t).start(t)
	first := spec("orders")
	first.Description, first.Timeout, first.Events = "the shop", "5s", []string{"ci.*", "system.>"}
	first.Metadata = map[string]string{"team": "a", "tier": "1"}
	first.RateLimit = &events.EndpointRate{PerSecond: 5, Burst: 2}
	created, _ := r.create(t, first)
	_ = r.called()
	for _, test := range []struct {
		patch   string
		changes []string
		apply   func(*events.EndpointSpec)
	}{
		{`{"description":"a shop"}`, []string{"description"}, func(s *events.EndpointSpec) { s.Description = "a shop" }},
		{`{"description":"a shop"}`, nil, func(*events.EndpointSpec) {}},
		{`{}`, nil, func(*events.EndpointSpec) {}},
		{`{"id":"orders","ordering":"none"}`, nil, func(s *events.EndpointSpec) {}},
		{`{"metadata":{"tier":null,"zone":"x"}}`, []string{"metadata"}, func(s *events.EndpointSpec) { s.Metadata = map[string]string{"team": "a", "zone": "x"} }},
		{`{"rate_limit":{"burst":null}}`, []string{"rate_limit"}, func(s *events.EndpointSpec) { s.RateLimit = &events.EndpointRate{PerSecond: 5} }},
		{`{"rate_limit":null,"timeout":null}`, []string{"rate_limit", "timeout"}, func(s *events.EndpointSpec) { s.RateLimit, s.Timeout = nil, "" }},
		{`{"events":["ci.degraded"]}`, []string{"events"}, func(s *events.EndpointSpec) { s.Events = []string{"ci.degraded"} }},
		{`{"signing":[{"method":"v1"}]}`, nil, func(*events.EndpointSpec) {}},
		{`{"url":"https://new.example/","filter":"data.x > 1"}`, []string{"filter", "url"}, func(s *events.EndpointSpec) {
			s.URL, s.Filter = "https://new.example/", "data.x > 1"
		}},
	} {
		before, err := r.Get(events.EndpointRequest{ID: "orders"})
		require.NoError(t, err)
		want := before.EndpointSpec
		test.apply(&want)

		dry, err := r.Update(t.Context(), events.EndpointUpdateRequest{ID: "orders", Endpoint: []byte(test.patch), DryRun: true})
		require.NoError(t, err)
		require.Equal(t, test.changes, dry.Changes, test.patch)
		same, err := r.Get(events.EndpointRequest{ID: "orders"})
		require.NoError(t, err)
		require.Equal(t, before, same, "a dry run changes nothing")

		changed := r.update(t, "orders", test.patch)
		require.Equal(t, test.changes, changed.Changes, test.patch)
		require.Equal(t, want.URL, changed.Endpoint.URL)
		after, err := r.Get(events.EndpointRequest{ID: "orders"})
		require.NoError(t, err)
		want.Ordering, after.Ordering = "", ""
		require.Equal(t, want, after.EndpointSpec, test.patch)
		require.Equal(t, created.Endpoint.Keys, after.Keys, "the key stays")
		require.Equal(t, created.Endpoint.CreatedAt, after.CreatedAt)
		if test.changes == nil {
			require.Equal(t, before.Revision, after.Revision)
			require.Empty(t, r.called())
		} else {
			require.Greater(t, after.Revision, before.Revision)
			require.Equal(t, []string{"prepare orders"}, r.called())
		}
	}
}

func TestReplaceTakesBackWhatIsNotSaid(t *testing.T) {
	t.Parallel()
	r := newStack(t).start(t)
	first := spec("orders")
	first.Description, first.Disabled = "the shop", true
	created, _ := r.create(t, first)
	req := events.EndpointUpdateRequest{ID: "orders", Endpoint: []byte(`{"url":"https://receiver.example/orders","timeout":"3s"}`), Replace: true}
	_ = r.called()
	changed, err := r.Update(t.Context(), req)
	require.NoError(t, err)
	require.Equal(t, []string{"description", "disabled", "timeout"}, changed.Changes)
	require.Equal(t, events.EndpointSpec{ID: "orders", URL: "https://receiver.example/orders", Timeout: "3s"}, changed.Endpoint.EndpointSpec)
	require.Equal(t, created.Endpoint.Keys, changed.Endpoint.Keys)
	require.Equal(t, []string{"prepare orders", "enable orders"}, r.called(), "it was disabled, and is not any more")

	again, err := r.Update(t.Context(), req)
	require.NoError(t, err)
	require.Empty(t, again.Changes)
	require.Empty(t, r.called())
}

func TestWhatCannotBeUpdated(t *testing.T) {
	t.Parallel()
	r := newStack(t).start(t)
	first, _ := r.create(t, spec("orders"))
	for patch, test := range map[string]struct {
		code  events.Code
		words []string
	}{
		``:                                  {events.CodeInvalidArgument, []string{"endpoint"}},
		`[]`:                                {events.CodeInvalidArgument, []string{"object"}},
		`null`:                              {events.CodeInvalidArgument, []string{"object"}},
		`{"url":`:                           {events.CodeInvalidArgument, []string{"endpoint"}},
		`{"urll":"https://x.example/"}`:     {events.CodeInvalidArgument, []string{"urll"}},
		`{"URL":"https://x.example/"}`:      {events.CodeInvalidArgument, []string{"URL"}},
		`{"rate_limit":{"per_minute":1}}`:   {events.CodeInvalidArgument, []string{"rate_limit.per_minute"}},
		`{"signing":[{"secret":"x"}]}`:      {events.CodeInvalidArgument, []string{"signing.0.secret"}},
		`{"timeout":"1s","timeout":"2s"}`:   {events.CodeInvalidArgument, []string{"twice"}},
		`{"timeout":15}`:                    {events.CodeInvalidArgument, []string{"timeout", "string"}},
		`{"timeout":"1h"}`:                  {events.CodeInvalidArgument, []string{"timeout"}},
		`{"id":"other"}`:                    {events.CodeInvalidArgument, []string{"id"}},
		`{"url":null}`:                      {events.CodeInvalidArgument, []string{"url"}},
		`{"ordering":"strict"}`:             {events.CodeInvalidArgument, []string{"ordering"}},
		`{"keys":[]}`:                       {events.CodeInvalidArgument, []string{"keys"}},
		`{"revision":1}`:                    {events.CodeInvalidArgument, []string{"revision"}},
		`{"url":"https://169.254.169.254"}`: {events.CodeInvalidArgument, []string{"not allowed"}},
		`{"signing":[{"key":"secret:x"}]}`:  {events.CodePermissionDenied, []string{"secret:x"}},
		`{"signing":[{"key":"secret:webhook.gone"}]}`:            {events.CodeNotFound, []string{"webhook.gone"}},
		`{"signing":[{},{}]}`:                                    {events.CodeInvalidArgument, []string{"recipient_key"}},
		`{"signing":[{},{},{},{},{},{},{},{},{}]}`:               {events.CodeInvalidArgument, []string{"signing"}},
		`{"url":"https://` + canary + `:` + canary + `@%zz"}`:    {events.CodeInvalidArgument, []string{"url"}},
		`{"headers":{"Authorization":"Bearer\n` + canary + `"}}`: {events.CodeInvalidArgument, nil},
	} {
		for _, dry := range []bool{true, false} {
			_, err := r.Update(t.Context(), events.EndpointUpdateRequest{ID: "orders", Endpoint: []byte(patch), DryRun: dry})
			refused(t, err, test.code, test.words...)
		}
	}
	_, err := r.Update(t.Context(), events.EndpointUpdateRequest{ID: "orders", Endpoint: []byte(`{}`), Overlap: "721h"})
	refused(t, err, events.CodeInvalidArgument, "overlap")
	_, err = r.Update(t.Context(), events.EndpointUpdateRequest{ID: "nobody", Endpoint: []byte(`{"timeout":"1s"}`)})
	refused(t, err, events.CodeNotFound, "nobody")
	same, err := r.Get(events.EndpointRequest{ID: "orders"})
	require.NoError(t, err)
	require.Equal(t, first.Endpoint, same)
}

func TestAChangeForAnotherRevisionIsRefused(t *testing.T) {
	t.Parallel()
	r := newStack(t).start(t)
	first, _ := r.create(t, spec("orders"))
	req := events.EndpointUpdateRequest{ID: "orders", Endpoint: []byte(`{"timeout":"1s"}`), Revision: first.Endpoint.Revision}
	second, err := r.Update(t.Context(), req)
	require.NoError(t, err)
	req.Endpoint = []byte(`{"timeout":"2s"}`)
	_, err = r.Update(t.Context(), req)
	refused(t, err, events.CodeFailedPrecondition, strconv.FormatUint(second.Endpoint.Revision, 10), strconv.FormatUint(first.Endpoint.Revision, 10))
	_, err = r.Delete(t.Context(), events.EndpointDeleteRequest{ID: "orders", Revision: first.Endpoint.Revision})
	refused(t, err, events.CodeFailedPrecondition, "revision")
	_, err = r.Delete(t.Context(), events.EndpointDeleteRequest{ID: "orders", Revision: second.Endpoint.Revision})
	require.NoError(t, err)
}

func TestSayingThatItIsNotDisabledEnables(t *testing.T) {
	t.Parallel()
	r := newStack(t).start(t)
	r.create(t, spec("orders"))
	_ = r.called()
	_, err := r.Update(t.Context(), events.EndpointUpdateRequest{ID: "orders", Endpoint: []byte(`{"disabled":false}`), DryRun: true})
	require.NoError(t, err)
	require.Empty(t, r.called())
	require.Empty(t, r.update(t, "orders", `{"disabled":false}`).Changes)
	require.Equal(t, []string{"enable orders"}, r.called(), "it may have been disabled by its failures")
	r.update(t, "orders", `{"disabled":true}`)
	e, _ := r.Set().Get("orders")
	require.True(t, e.Disabled())
	require.Equal(t, []string{"prepare orders"}, r.called())
	r.update(t, "orders", `{"disabled":null}`)
	require.Equal(t, []string{"prepare orders", "enable orders"}, r.called())
}

func TestChangesAtOnceLoseNothing(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	replicas := []*replica{s.start(t), s.start(t)}
	replicas[0].create(t, spec("orders"))
	const each = 20
	var all sync.WaitGroup
	for i, r := range replicas {
		for n := range each {
			all.Go(func() {
				patch := fmt.Sprintf(`{"metadata":{"r%d-%d":"x"}}`, i, n)
				if _, err := r.Update(t.Context(), events.EndpointUpdateRequest{ID: "orders", Endpoint: []byte(patch)}); err != nil {
					t.Errorf("%s: %v", patch, err)
				}
			})
		}
	}
	all.Wait()
	for _, r := range replicas {
		view, err := r.Get(events.EndpointRequest{ID: "orders"})
		require.NoError(t, err)
		eventually(t, func() bool {
			view, err = r.Get(events.EndpointRequest{ID: "orders"})
			return err == nil && len(view.Metadata) == 2*each
		}, "every change is there")
	}
}

func TestOnlyOneOfManyCreates(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	replicas := []*replica{s.start(t), s.start(t)}
	key := newKey(t)
	var mu sync.Mutex
	var made []events.EndpointChanged
	var all sync.WaitGroup
	for n := range 20 {
		all.Go(func() {
			changed, err := replicas[n%2].Create(t.Context(), events.EndpointCreateRequest{Endpoint: spec("orders"), RecipientKey: key.Public()})
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				made = append(made, changed)
			case events.CodeOf(err) != events.CodeFailedPrecondition:
				t.Error(err)
			}
		})
	}
	all.Wait()
	require.Len(t, made, 1)
	secrets := open(t, key, made[0])
	require.True(t, verifies(t, signed(t, replicas[0], "orders", time.Now()), secrets[0]) || verifies(t, signed(t, replicas[1], "orders", time.Now()), secrets[0]))
}

func TestWhatCannotBePreparedIsNotStored(t *testing.T) {
	t.Parallel()
	r := newStack(t).start(t, func(cfg *registry.Config) {
		cfg.Prepare = func(_ context.Context, e *target.Endpoint) error {
			if e.Strict() {
				return events.Errorf(events.CodeUnavailable, "no consumer can be made")
			}
			return nil
		}
	})
	wanted := spec("orders")
	wanted.Ordering = events.OrderingStrict
	_, err := r.Create(t.Context(), events.EndpointCreateRequest{Endpoint: wanted, RecipientKey: newKey(t).Public()})
	refused(t, err, events.CodeUnavailable, "consumer")
	require.Zero(t, r.Set().Len())
	_, _, err = r.bucket(t).Get(t.Context(), "orders")
	require.ErrorIs(t, err, bus.ErrNotFound)
}

func TestABucketThatDoesNotAnswerIsUnavailable(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	r := s.start(t)
	r.create(t, spec("orders"))
	s.server.Shutdown()
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	_, err := r.Create(ctx, events.EndpointCreateRequest{Endpoint: spec("more"), RecipientKey: newKey(t).Public()})
	refused(t, err, events.CodeUnavailable, "bucket")
	_, err = r.Update(ctx, events.EndpointUpdateRequest{ID: "orders", Endpoint: []byte(`{"timeout":"1s"}`)})
	refused(t, err, events.CodeUnavailable, "bucket")
	_, err = r.Delete(ctx, events.EndpointDeleteRequest{ID: "orders"})
	refused(t, err, events.CodeUnavailable, "bucket")
	_, ok := r.Set().Get("orders")
	require.True(t, ok, "what is known stays in use")
}
