package github

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge/rest"
)

// Bounds of a dispatch: GitHub's own.
const (
	maxInputs     = 25
	maxInputBytes = 65535
	maxWorkflow   = 255
)

// Rerun implements [forge.Forge]: POST /repos/{owner}/{repo}/actions/runs/{id}/rerun or rerun-failed-jobs. A run that is not
// completed, that is older than 30 days or was run again 50 times is failed_precondition.
func (f *Forge) Rerun(ctx context.Context, run forge.Run, failedOnly bool) error {
	path, err := runPath(run.ID)
	if err != nil {
		return err
	}
	path += "/rerun"
	if failedOnly {
		path += "-failed-jobs"
	}
	_, err = f.askAbout(ctx, run.Repository, request{
		method: http.MethodPost, path: path, what: "to run " + strconv.FormatInt(run.ID, 10) + " of " + run.Repository + " again",
	})
	return err
}

// Dispatch implements [forge.Forge]: POST /repos/{owner}/{repo}/actions/workflows/{workflow}/dispatches.
func (f *Forge) Dispatch(ctx context.Context, d forge.Dispatch) error {
	if err := checkDispatch(d); err != nil {
		return err
	}
	if len(d.Inputs) > maxInputs {
		return events.Errorf(events.CodeInvalidArgument, "there are %d inputs; at most %d are allowed", len(d.Inputs), maxInputs)
	}
	order := struct {
		Ref    string            `json:"ref"`
		Inputs map[string]string `json:"inputs,omitempty"`
	}{d.Ref, d.Inputs}
	body, err := json.Marshal(order)
	if err != nil {
		return events.Errorf(events.CodeInvalidArgument, "the inputs are no JSON: %w", err)
	}
	if len(body) > maxInputBytes {
		return events.Errorf(events.CodeInvalidArgument, "the inputs have %d bytes; at most %d are allowed", len(body), maxInputBytes)
	}
	_, err = f.askAbout(ctx, d.Repository, request{
		method: http.MethodPost, path: "/actions/workflows/" + url.PathEscape(d.Workflow) + "/dispatches", body: body,
		what: "to start the workflow " + rest.Clip(d.Workflow) + " of " + d.Repository + " on " + d.Ref,
	})
	return err
}

// Dispatched implements [forge.Forge]: GET /repos/{owner}/{repo}/actions/workflows/{workflow}/runs?event=workflow_dispatch.
func (f *Forge) Dispatched(ctx context.Context, d forge.Dispatch, since time.Time) (bool, error) {
	if err := checkDispatch(d); err != nil {
		return false, err
	}
	since = since.UTC().Truncate(time.Second) // as GitHub writes times
	query := url.Values{
		"event": {"workflow_dispatch"}, "branch": {d.Ref}, "created": {">=" + since.Format(time.RFC3339)},
		"exclude_pull_requests": {"true"}, "per_page": {strconv.Itoa(runsPerPage)},
	}
	found := false
	_, err := f.askAbout(ctx, d.Repository, request{
		method: http.MethodGet, path: "/actions/workflows/" + url.PathEscape(d.Workflow) + "/runs", query: query, once: true,
		what: "the runs of the workflow " + rest.Clip(d.Workflow) + " of " + d.Repository,
		read: func(r *reply) (value, error) {
			runs, err := decodeRuns(r)
			for _, run := range runs {
				found = found || run.Event == "workflow_dispatch" && run.HeadBranch == d.Ref && !run.CreatedAt.Before(since)
			}
			return &runsPage{}, err
		},
	})
	return found && err == nil, err
}

// checkDispatch checks all but the inputs.
func checkDispatch(d forge.Dispatch) error {
	if err := checkWorkflow(d.Workflow); err != nil {
		return err
	}
	if d.Ref == "" {
		return events.Errorf(events.CodeInvalidArgument, "a dispatch names the branch that it is for")
	}
	return rest.CheckBranch(d.Ref)
}

// checkWorkflow accepts a file's name or an id: one segment of a path.
func checkWorkflow(workflow string) error {
	if workflow == "" || len(workflow) > maxWorkflow || workflow == "." || workflow == ".." ||
		strings.ContainsAny(workflow, `/\`) || rest.Printable(workflow) != workflow {
		return events.Errorf(events.CodeInvalidArgument, "the workflow is %q; it must be the name of a file or an id", rest.Clip(workflow))
	}
	return nil
}
