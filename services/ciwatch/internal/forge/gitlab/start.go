package gitlab

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge/rest"
)

// Bounds of a dispatch.
const (
	maxInputs     = 25
	maxInputBytes = 65535
	maxKey        = 255 // bytes of a variable's name, as GitLab has it
)

// Rerun implements [forge.Forge]: POST /projects/:id/pipelines/:pipeline_id/retry, by which the jobs that failed or were canceled run again. GitLab
// cannot run all jobs of a pipeline again: that is failed_precondition, and a dispatch is what comes near it. So is the retry of a
// pipeline that has no such jobs.
func (f *Forge) Rerun(ctx context.Context, run forge.Run, failedOnly bool) error {
	path, err := pipelinePath(run.ID)
	if err != nil {
		return err
	}
	if !failedOnly {
		return f.failed(events.CodeFailedPrecondition,
			"GitLab cannot run a whole pipeline again; run its failed jobs again (rerun_failed_jobs), or start a new one on the branch (workflow_dispatch)", nil)
	}
	switch run.Conclusion {
	case forge.StartupFailure:
		return f.failed(events.CodeFailedPrecondition, "the pipeline has no jobs to run again: its configuration is wrong", nil)
	case forge.Success, forge.Skipped:
		return f.failed(events.CodeFailedPrecondition, "the pipeline has no failed jobs to run again: it ended as "+string(run.Conclusion), nil)
	default: // it has some, or GitLab does nothing
	}
	_, err = f.askAbout(ctx, run.Repository, request{
		method: http.MethodPost, path: path + "/retry", what: "to retry the pipeline " + strconv.FormatInt(run.ID, 10) + " of " + run.Repository,
	})
	return err
}

// variable is one of a pipeline.
type variable struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// Dispatch implements [forge.Forge]: POST /projects/:id/pipeline. The inputs become the pipeline's variables. A project has one kind of
// pipelines, so that the workflow is not looked at.
func (f *Forge) Dispatch(ctx context.Context, d forge.Dispatch) error {
	if err := checkRef(d.Ref); err != nil {
		return err
	}
	if len(d.Inputs) > maxInputs {
		return events.Errorf(events.CodeInvalidArgument, "there are %d inputs; at most %d are allowed", len(d.Inputs), maxInputs)
	}
	order := struct {
		Ref       string     `json:"ref"`
		Variables []variable `json:"variables,omitempty"`
	}{Ref: d.Ref}
	for _, key := range slices.Sorted(maps.Keys(d.Inputs)) {
		if !isKey(key) {
			return events.Errorf(events.CodeInvalidArgument, "the input %q cannot be a variable of GitLab: its name must be of A-Z a-z 0-9 _", rest.Clip(key))
		}
		order.Variables = append(order.Variables, variable{key, d.Inputs[key]})
	}
	body, err := json.Marshal(order)
	if err != nil {
		return events.Errorf(events.CodeInvalidArgument, "the inputs are no JSON: %w", err)
	}
	if len(body) > maxInputBytes {
		return events.Errorf(events.CodeInvalidArgument, "the inputs have %d bytes; at most %d are allowed", len(body), maxInputBytes)
	}
	_, err = f.askAbout(ctx, d.Repository, request{
		method: http.MethodPost, path: "/pipeline", body: body, what: "to start a pipeline of " + d.Repository + " on " + d.Ref,
	})
	return err
}

// Dispatched implements [forge.Forge]: GET /projects/:id/pipelines?source=api.
func (f *Forge) Dispatched(ctx context.Context, d forge.Dispatch, since time.Time) (bool, error) {
	if err := checkRef(d.Ref); err != nil {
		return false, err
	}
	since = since.UTC().Truncate(time.Second) // as times are here
	query := url.Values{"source": {"api"}, "ref": {d.Ref}, "order_by": {"id"}, "sort": {"desc"}, "per_page": {strconv.Itoa(runsPerPage)}}
	r, err := f.askAbout(ctx, d.Repository, request{
		method: http.MethodGet, path: "/pipelines", query: query, what: "the pipelines of " + d.Repository, read: readPipelines,
	})
	if err != nil {
		return false, err
	}
	list := r.value.(*pipelinesPage) //nolint:errcheck,forcetypeassert // it is what read made
	return slices.ContainsFunc(list.pipelines, func(w wirePipeline) bool {
		return w.Source == "api" && w.Ref == d.Ref && !w.CreatedAt.Before(since)
	}), nil
}

// checkRef checks the branch of a dispatch.
func checkRef(ref string) error {
	if ref == "" {
		return events.Errorf(events.CodeInvalidArgument, "a dispatch names the branch that it is for")
	}
	return rest.CheckBranch(ref)
}

// isKey reports whether a name can be that of a variable.
func isKey(key string) bool {
	return key != "" && len(key) <= maxKey && !strings.ContainsFunc(key, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_'
	})
}
