package gitlab

import (
	"net/http"
	"strings"

	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge/rest"
)

// template stands for the path of a request in its span.
func (f *Forge) template(r *http.Request) string {
	below := strings.TrimPrefix(r.URL.EscapedPath(), strings.TrimSuffix(f.base.EscapedPath(), "/"))
	return rest.Template(below, []string{
		"/projects/{id}",
		"/projects/{id}/pipelines",
		"/projects/{id}/pipelines/{pipeline_id}",
		"/projects/{id}/pipelines/{pipeline_id}/jobs",
		"/projects/{id}/pipelines/{pipeline_id}/retry",
		"/projects/{id}/pipeline",
		"/projects/{id}/merge_requests/{number}",
		"/groups/{id}/projects",
		"/users/{id}/projects",
	})
}
