package github

import (
	"net/http"
	"strings"

	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge/rest"
)

// template stands for the path of a request in its span.
func (f *Forge) template(r *http.Request) string {
	below := strings.TrimPrefix(r.URL.EscapedPath(), strings.TrimSuffix(f.base.EscapedPath(), "/"))
	return rest.Template(below, []string{
		"/repos/{owner}/{repo}",
		"/repos/{owner}/{repo}/actions/runs",
		"/repos/{owner}/{repo}/actions/runs/{run_id}",
		"/repos/{owner}/{repo}/actions/runs/{run_id}/jobs",
		"/repos/{owner}/{repo}/actions/runs/{run_id}/attempts/{attempt}/jobs",
		"/repos/{owner}/{repo}/actions/runs/{run_id}/rerun",
		"/repos/{owner}/{repo}/actions/runs/{run_id}/rerun-failed-jobs",
		"/repos/{owner}/{repo}/actions/workflows/{workflow}/dispatches",
		"/repos/{owner}/{repo}/actions/workflows/{workflow}/runs",
		"/repositories/{id}",
		"/repositories/{id}/actions/runs",
		"/repositories/{id}/actions/runs/{run_id}",
		"/orgs/{owner}/repos",
		"/users/{owner}/repos",
		"/app/installations/{id}/access_tokens",
	})
}
