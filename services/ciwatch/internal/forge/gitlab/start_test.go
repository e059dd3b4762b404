package gitlab_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/fakegitlab"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge"
)

func TestRerun(t *testing.T) {
	t.Parallel()
	fake, f := start(t)
	added := fake.AddPipeline("failed")
	run, err := f.Run(t.Context(), repository, added.ID)
	require.NoError(t, err)

	err = f.Rerun(t.Context(), run, false)
	requireCode(t, events.CodeFailedPrecondition, err)
	require.ErrorContains(t, err, "cannot run a whole pipeline again")
	require.Empty(t, fake.Orders(), "it is not asked for")
	require.NoError(t, f.Rerun(t.Context(), run, true))
	require.Len(t, fake.Orders(), 1)
	require.Equal(t, []any{"retry", repository, added.ID}, []any{fake.Orders()[0].Kind, fake.Orders()[0].Project, fake.Orders()[0].PipelineID})
	run, err = f.Run(t.Context(), repository, added.ID)
	require.NoError(t, err)
	require.False(t, run.Done)

	for _, conclusion := range []forge.Conclusion{forge.StartupFailure, forge.Success, forge.Skipped} {
		err = f.Rerun(t.Context(), forge.Run{Repository: repository, ID: added.ID, Conclusion: conclusion}, true)
		requireCode(t, events.CodeFailedPrecondition, err)
		require.ErrorContains(t, err, "jobs to run again")
	}
	require.Len(t, fake.Orders(), 1)
	requireCode(t, events.CodeNotFound, f.Rerun(t.Context(), forge.Run{Repository: repository, ID: 1}, true))
	require.Equal(t, events.CodeInvalidArgument, events.CodeOf(f.Rerun(t.Context(), forge.Run{Repository: repository}, true)))
	fake.ReadOnly(canary)
	err = f.Rerun(t.Context(), forge.Run{Repository: repository, ID: added.ID}, true)
	requireCode(t, events.CodePermissionDenied, err)
	require.ErrorContains(t, err, "higher privileges")
}

func TestDispatch(t *testing.T) {
	t.Parallel()
	at := time.Now()
	fake, f := start(t)
	order := forge.Dispatch{Repository: repository, Workflow: "whatever it is called", Ref: "release/1.0", Inputs: map[string]string{"B": "2", "A": "x\ny"}}
	found, err := f.Dispatched(t.Context(), order, at)
	require.NoError(t, err)
	require.False(t, found)
	require.NoError(t, f.Dispatch(t.Context(), order))
	require.Len(t, fake.Orders(), 1)
	got := fake.Orders()[0]
	require.Equal(t, []any{"create", "release/1.0", order.Inputs, http.StatusCreated}, []any{got.Kind, got.Ref, got.Variables, got.Status})

	found, err = f.Dispatched(t.Context(), order, at)
	require.NoError(t, err)
	require.True(t, found, "to the second")
	for _, other := range []forge.Dispatch{{Repository: repository, Ref: "main"}, {Repository: repository, Ref: "release"}} {
		found, err = f.Dispatched(t.Context(), other, at)
		require.NoError(t, err)
		require.False(t, found)
	}
	found, err = f.Dispatched(t.Context(), order, at.Add(time.Hour))
	require.NoError(t, err)
	require.False(t, found)

	fake.AddPipeline("success", func(p *fakegitlab.Pipeline) { p.CreatedAt = at.Add(time.Minute) })
	found, err = f.Dispatched(t.Context(), forge.Dispatch{Repository: repository, Ref: "main"}, at)
	require.NoError(t, err)
	require.False(t, found, "a push is no dispatch")
	_, err = f.Dispatched(t.Context(), forge.Dispatch{Repository: repository}, at)
	require.Equal(t, events.CodeInvalidArgument, events.CodeOf(err))
	fake.Fail(fakegitlab.Failure{Status: 500})
	_, err = f.Dispatched(t.Context(), order, at)
	requireCode(t, events.CodeUnavailable, err)
}

// TestLostAnswer: an order of which nobody knows whether it was carried out is looked for before it is given again.
func TestLostAnswer(t *testing.T) {
	t.Parallel()
	fake, f := start(t)
	at := time.Now()
	order := forge.Dispatch{Repository: repository, Ref: "main"}
	fake.Fail(fakegitlab.Failure{Status: http.StatusBadGateway, Done: true})
	requireCode(t, events.CodeUnavailable, f.Dispatch(t.Context(), order))
	require.Len(t, fake.Orders(), 1, "an order is given once")
	found, err := f.Dispatched(t.Context(), order, at)
	require.NoError(t, err)
	require.True(t, found)
}

func TestDispatchIsChecked(t *testing.T) {
	t.Parallel()
	fake, f := start(t)
	many := map[string]string{}
	for i := range 26 {
		many["V"+strings.Repeat("x", i)] = ""
	}
	for name, order := range map[string]forge.Dispatch{
		"no branch": {}, "branch with a space": {Ref: "a b"}, "many": {Ref: "main", Inputs: many},
		"large":  {Ref: "main", Inputs: map[string]string{"A": strings.Repeat("x", 1<<16)}},
		"no key": {Ref: "main", Inputs: map[string]string{"": "x"}}, "key with a dash": {Ref: "main", Inputs: map[string]string{"a-b": "x"}},
		"long key": {Ref: "main", Inputs: map[string]string{strings.Repeat("x", 256): "x"}},
	} {
		order.Repository = repository
		require.Equal(t, events.CodeInvalidArgument, events.CodeOf(f.Dispatch(t.Context(), order)), name)
	}
	requireRequests(t, fake, 0, 0)
}

func TestDefaultBranch(t *testing.T) {
	t.Parallel()
	fake, f := start(t)
	for range 2 {
		branch, err := f.DefaultBranch(t.Context(), repository)
		require.NoError(t, err)
		require.Equal(t, "main", branch)
	}
	_, notModified := fake.Requests()
	require.Equal(t, 1, notModified)
	fake.AddProject("neuron7x/empty", func(p *fakegitlab.Project) { p.Empty = true })
	_, err := f.DefaultBranch(t.Context(), "neuron7x/empty")
	requireCode(t, events.CodeFailedPrecondition, err)
	_, err = f.DefaultBranch(t.Context(), "neuron7x/none")
	requireCode(t, events.CodeNotFound, err)
	for _, body := range []string{`{}`, `[]`, `{"id": 1, "default_branch": "a b"}`, `{"id": 1, "default_branch": 7}`} {
		fake.Fail(fakegitlab.Failure{Body: body})
		_, err = f.DefaultBranch(t.Context(), repository)
		requireCode(t, events.CodeUnavailable, err)
	}
}

// TestWhoMayNotGiveAnOrderAnyMore: the end of a lease is asked for right before an order is sent.
func TestWhoMayNotGiveAnOrderAnyMore(t *testing.T) {
	t.Parallel()
	fake, f := start(t)
	run, err := f.Run(t.Context(), repository, fake.AddPipeline("failed").ID)
	require.NoError(t, err)
	over := forge.While(t.Context(), func() bool { return false })
	require.Error(t, f.Rerun(over, run, true))
	require.Error(t, f.Dispatch(over, forge.Dispatch{Repository: repository, Ref: "main"}))
	require.Empty(t, fake.Orders())
	_, err = f.Run(over, repository, run.ID)
	require.NoError(t, err, "to ask is no order")
}
