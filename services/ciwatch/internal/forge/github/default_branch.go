package github

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge/rest"
)

// branchName is what is kept of a repository.
type branchName string

func (b branchName) size() int { return len(b) }

// DefaultBranch implements [forge.Forge]: GET /repos/{owner}/{repo}.
func (f *Forge) DefaultBranch(ctx context.Context, repository string) (string, error) {
	r, err := f.askAbout(ctx, repository, request{
		method: http.MethodGet, what: "the repository " + repository,
		read: func(r *reply) (value, error) {
			var body struct {
				DefaultBranch string `json:"default_branch"`
			}
			if err := json.Unmarshal(r.body, &body); err != nil {
				return nil, err
			}
			if body.DefaultBranch == "" || rest.CheckBranch(body.DefaultBranch) != nil {
				return nil, errShape
			}
			return branchName(body.DefaultBranch), nil
		},
	})
	if err != nil {
		return "", err
	}
	return string(r.value.(branchName)), nil //nolint:errcheck,forcetypeassert // it is what read made
}
