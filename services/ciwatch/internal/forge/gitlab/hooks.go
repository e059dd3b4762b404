package gitlab

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge/rest"
)

// Header names of a webhook. [HeaderIdempotency] stays the same when GitLab sends a webhook again; older ones do not send it, and only
// have [HeaderDelivery], which is another one each time. X-Gitlab-Event-UUID is of no use: all that one request to GitLab, or another webhook's
// receiver, sets off has the same.
const (
	HeaderEvent       = "X-Gitlab-Event"
	HeaderIdempotency = "Idempotency-Key"
	HeaderDelivery    = "X-Gitlab-Webhook-UUID"
	HeaderToken       = "X-Gitlab-Token" //nolint:gosec // it is a name
)

// Events of webhooks that are read, as [HeaderEvent] has them.
const (
	EventPipeline = "Pipeline Hook"
	EventJob      = "Job Hook"
)

// MaxWebhook bounds the body of a webhook, in bytes. GitLab's own bound is the same, if nobody has changed it.
const MaxWebhook = 25 << 20

// errWebhook is that a body is not what GitLab documents.
var errWebhook = errors.New("the body is not that of GitLab's webhook")

// webhook is what is read of a body.
type webhook struct {
	Kind    string `json:"object_kind"`
	Project *struct {
		DefaultBranch string `json:"default_branch"`
		ID            int64  `json:"id"`
		Path          string `json:"path_with_namespace"`
		WebURL        string `json:"web_url"`
	} `json:"project"`
	// Of a pipeline:
	Pipeline *struct {
		wirePipeline
		URL string `json:"url"`
	} `json:"object_attributes"`
	MergeRequest *wireMergeRequest `json:"merge_request"`
	User         *wireUser         `json:"user"`
	Commit       *struct {
		Message string `json:"message"`
	} `json:"commit"`
	Builds []wireJob `json:"builds"`
	// Of a job:
	BuildID      int64  `json:"build_id"`
	BuildStatus  string `json:"build_status"`
	AllowFailure bool   `json:"build_allow_failure"`
}

// Sightings returns what a webhook tells: nothing for events that are none of ours, and for what has not ended. Event is its
// X-Gitlab-Event. The sightings' forge and time are for the caller to fill in. The error, which repeats nothing of the body, is
// for a body that is not what GitLab documents.
func Sightings(event string, body []byte) ([]forge.Sighting, error) {
	kind := map[string]string{EventPipeline: "pipeline", EventJob: "build"}[event]
	if kind == "" {
		return nil, nil
	}
	if len(body) > MaxWebhook {
		return nil, fmt.Errorf("%w: it is larger than 25 MiB", errWebhook)
	}
	var hook webhook
	if err := json.Unmarshal(body, &hook); err != nil {
		return nil, fmt.Errorf("%w: it is no JSON, or has a wrong type in it", errWebhook) // the error may repeat a value
	}
	if hook.Kind != kind || hook.Project == nil || hook.Project.ID <= 0 || !isRepository(hook.Project.Path) {
		return nil, fmt.Errorf("%w: it has no %s or no project", errWebhook, kind)
	}
	tell := hook.pipeline
	if event == EventJob {
		tell = hook.job
	}
	sighting, ok, err := tell()
	if err != nil || !ok {
		return nil, err
	}
	sighting.Repository = hook.Project.Path
	if rest.CheckBranch(hook.Project.DefaultBranch) == nil {
		sighting.DefaultBranch = hook.Project.DefaultBranch
	}
	return []forge.Sighting{sighting}, nil
}

// pipeline tells of a pipeline that has ended, if GitLab would list it. The jobs that failed come with it. Of one that failed without
// any, it does not say why: its configuration may be wrong, which is worth asking.
func (w *webhook) pipeline() (forge.Sighting, bool, error) {
	if w.Pipeline == nil {
		return forge.Sighting{}, false, fmt.Errorf("%w: it has no pipeline", errWebhook)
	}
	wire := w.Pipeline.wirePipeline
	wire.ProjectID, wire.User, wire.MergeRequest = w.Project.ID, w.User, w.MergeRequest
	if wire.WebURL = w.Pipeline.URL; wire.WebURL == "" {
		wire.WebURL = w.Project.WebURL + "/-/pipelines/" + strconv.FormatInt(wire.ID, 10)
	}
	run, err := wire.run(w.Project.Path)
	listed := wire.Status == "success" || wire.Status == "failed" || wire.Status == "canceled"
	switch {
	case err != nil && !errors.Is(err, errUnclear):
		return forge.Sighting{}, false, fmt.Errorf("%w: the pipeline: %w", errWebhook, err)
	case !listed || isDangling(wire.Source):
		return forge.Sighting{}, false, nil
	case errors.Is(err, errUnclear), run.Conclusion.Failed() && len(w.Builds) == 0:
		return forge.Sighting{Poke: true}, true, nil
	}
	if w.Commit != nil {
		run.Title = rest.FirstLine(w.Commit.Message)
	}
	if run.Conclusion.Failed() {
		for i, build := range w.Builds {
			w.Builds[i].WebURL = w.Project.WebURL + "/-/jobs/" + strconv.FormatInt(build.ID, 10)
		}
		run.Failed = failedJobs(run, w.Builds) // those that passed may matter, too, so that all are not known
	}
	return forge.Sighting{Run: &run}, true, nil
}

// job tells that a job has failed, and no more: it is part of an attempt that has not ended yet, and by its end attempts are told apart.
func (w *webhook) job() (forge.Sighting, bool, error) {
	if w.BuildID <= 0 || w.BuildStatus == "" {
		return forge.Sighting{}, false, fmt.Errorf("%w: the job has no id or no status", errWebhook)
	}
	return forge.Sighting{Poke: true}, w.BuildStatus == "failed" && !w.AllowFailure, nil
}
