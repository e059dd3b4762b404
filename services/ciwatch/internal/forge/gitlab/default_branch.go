package gitlab

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge/rest"
)

// branchName is what is kept of a project.
type branchName string

func (b branchName) size() int { return len(b) }

// DefaultBranch implements [forge.Forge]: GET /projects/:id. A project without commits has none: that is failed_precondition.
func (f *Forge) DefaultBranch(ctx context.Context, repository string) (string, error) {
	r, err := f.askAbout(ctx, repository, request{
		method: http.MethodGet, what: "the project " + repository, keep: true,
		read: func(r *reply) (value, error) {
			var body struct {
				ID            int64  `json:"id"`
				DefaultBranch string `json:"default_branch"`
			}
			if err := json.Unmarshal(r.body, &body); err != nil {
				return nil, err
			}
			if body.ID <= 0 || rest.CheckBranch(body.DefaultBranch) != nil {
				return nil, errShape
			}
			return branchName(body.DefaultBranch), nil
		},
	})
	if err != nil {
		return "", err
	}
	branch := r.value.(branchName) //nolint:errcheck,forcetypeassert // it is what read made
	if branch == "" {
		return "", f.failed(events.CodeFailedPrecondition, "the project "+repository+" has no default branch: there are no commits", nil)
	}
	return string(branch), nil
}
