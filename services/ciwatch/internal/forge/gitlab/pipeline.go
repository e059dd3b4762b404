package gitlab

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge"
)

func (*wirePipeline) size() int { return runSize }

// Run implements [forge.Forge]: GET /projects/:id/pipelines/:pipeline_id.
func (f *Forge) Run(ctx context.Context, repository string, id int64) (forge.Run, error) {
	wire, err := f.pipeline(ctx, repository, id)
	if err != nil {
		return forge.Run{}, err
	}
	run, err := f.resolve(ctx, repository, wire)
	if errors.Is(err, errIDs) || errors.Is(err, errUnclear) {
		return forge.Run{}, f.failed(events.CodeUnavailable, "the pipeline "+strconv.FormatInt(id, 10)+" of "+repository+" is no usable one: "+err.Error(), nil)
	}
	return run, err
}

// pipeline asks for one pipeline, as it is now.
func (f *Forge) pipeline(ctx context.Context, repository string, id int64) (*wirePipeline, error) {
	path, err := pipelinePath(id)
	if err != nil {
		return nil, err
	}
	r, err := f.askAbout(ctx, repository, request{
		method: http.MethodGet, path: path, what: "the pipeline " + strconv.FormatInt(id, 10) + " of " + repository,
		read: func(r *reply) (value, error) {
			wire := &wirePipeline{}
			if err := json.Unmarshal(r.body, wire); err != nil {
				return nil, err
			}
			if wire.ID != id {
				return nil, errIDs
			}
			return wire, nil
		},
	})
	if err != nil {
		return nil, err
	}
	return r.value.(*wirePipeline), nil //nolint:errcheck,forcetypeassert // it is what read made
}

// resolve makes a run of a pipeline. Of one that is for a merge request, it asks for that, which says from which branch it comes. What makes
// it no usable one is errIDs or errUnclear.
func (f *Forge) resolve(ctx context.Context, repository string, wire *wirePipeline) (forge.Run, error) {
	if iid, ok := wire.mergeRequestOf(); ok {
		request, err := f.mergeRequest(ctx, repository, iid)
		switch events.CodeOf(err) {
		case "":
			wire.MergeRequest = request
		case events.CodeNotFound, events.CodePermissionDenied: // it is hidden, or was deleted: of no branch that we know
		default:
			return forge.Run{}, err
		}
	}
	return wire.run(f.canonical(repository, wire.WebURL))
}

// mergeRequest returns a merge request. It is kept: the branch that it comes from does not change.
func (f *Forge) mergeRequest(ctx context.Context, repository string, iid int64) (*wireMergeRequest, error) {
	number := strconv.FormatInt(iid, 10)
	key := "merge request " + number + " of " + strings.ToLower(repository)
	if known, _ := f.answers.get(key); known != nil {
		return known.(*wireMergeRequest), nil //nolint:errcheck,forcetypeassert // it is what is put below
	}
	r, err := f.askAbout(ctx, repository, request{
		method: http.MethodGet, path: "/merge_requests/" + number, what: "the merge request " + number + " of " + repository,
		read: func(r *reply) (value, error) {
			wire := &wireMergeRequest{}
			if err := json.Unmarshal(r.body, wire); err != nil {
				return nil, err
			}
			if wire.IID != iid || wire.SourceBranch == "" {
				return nil, errShape
			}
			return wire, nil
		},
	})
	if err != nil {
		return nil, err
	}
	f.answers.put(key, "", r.value)
	return r.value.(*wireMergeRequest), nil //nolint:errcheck,forcetypeassert // it is what read made
}

// canonical returns a project's path as GitLab writes it, which it does in the addresses of its pages; otherwise as it was asked for.
func (f *Forge) canonical(repository, page string) string {
	path, _, ok := strings.Cut(page, "/-/")
	if !ok {
		return repository
	}
	if at := len(path) - len(repository); at > 0 && path[at-1] == '/' && strings.EqualFold(path[at:], repository) {
		return path[at:]
	}
	root := f.base.Scheme + "://" + f.base.Host + strings.TrimSuffix(f.base.Path, apiPath+"/") + "/"
	if renamed, ok := strings.CutPrefix(path, root); ok && isRepository(renamed) {
		return renamed
	}
	return repository
}

// pipelinePath returns the path of a pipeline below its project.
func pipelinePath(id int64) (string, error) {
	if id <= 0 {
		return "", events.Errorf(events.CodeInvalidArgument, "the run's id is %d; it must be greater than 0", id)
	}
	return "/pipelines/" + strconv.FormatInt(id, 10), nil
}
