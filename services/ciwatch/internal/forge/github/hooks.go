package github

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge/rest"
)

// Header names of a webhook.
const (
	HeaderEvent     = "X-GitHub-Event"
	HeaderDelivery  = "X-GitHub-Delivery"
	HeaderSignature = "X-Hub-Signature-256"
)

// MaxWebhook is the largest body of a webhook that GitHub sends, in bytes.
const MaxWebhook = 25 << 20

// actionsApp is the slug of the app that runs workflows, at github.com and at a GitHub Enterprise Server.
const actionsApp = "github-actions"

// errWebhook is that a body is not what GitHub documents.
var errWebhook = errors.New("the body is not that of GitHub's webhook")

// webhook is what is read of a body.
type webhook struct {
	Action     string         `json:"action"`
	Repository wireRepository `json:"repository"`
	Workflow   *struct {
		Name string `json:"name"`
	} `json:"workflow"`
	Run   *wireRun `json:"workflow_run"`
	Job   *wireJob `json:"workflow_job"`
	Check *struct {
		App wireApp `json:"app"`
	} `json:"check_run"`
	Suite *struct {
		App wireApp `json:"app"`
	} `json:"check_suite"`
}

type wireApp struct {
	Slug string `json:"slug"`
}

// Sightings returns what a webhook tells: nothing for events that are none of ours, and for what has not ended. Event is its
// X-GitHub-Event. The sightings' forge and time are for the caller to fill in. The error, which repeats nothing of the body, is
// for a body that is not what GitHub documents.
func Sightings(event string, body []byte) ([]forge.Sighting, error) {
	switch event {
	case "workflow_run", "workflow_job", "check_suite", "check_run":
	default:
		return nil, nil
	}
	if len(body) > MaxWebhook {
		return nil, fmt.Errorf("%w: it is larger than 25 MiB", errWebhook)
	}
	var hook webhook
	if err := json.Unmarshal(body, &hook); err != nil {
		return nil, fmt.Errorf("%w: it is no JSON, or has a wrong type in it", errWebhook) // the error may repeat a value
	}
	if hook.Action == "" || !isRepository(hook.Repository.FullName) {
		return nil, fmt.Errorf("%w: it has no action or no repository", errWebhook)
	}
	sighting, ok, err := hook.sighting(event)
	if err != nil || !ok {
		return nil, err
	}
	sighting.Repository = hook.Repository.FullName
	if rest.CheckBranch(hook.Repository.DefaultBranch) == nil {
		sighting.DefaultBranch = hook.Repository.DefaultBranch
	}
	return []forge.Sighting{sighting}, nil
}

// sighting returns what an event tells, if it tells of something that has ended.
func (w webhook) sighting(event string) (forge.Sighting, bool, error) {
	switch {
	case event == "workflow_run" && w.Run != nil:
		return w.run()
	case event == "workflow_job" && w.Job != nil:
		return w.job()
	case event == "check_suite" && w.Suite != nil:
		return forge.Sighting{Poke: true}, w.Action == completed && w.Suite.App.Slug == actionsApp, nil
	case event == "check_run" && w.Check != nil:
		return forge.Sighting{Poke: true}, w.Action == completed && w.Check.App.Slug == actionsApp, nil
	default:
		return forge.Sighting{}, false, fmt.Errorf("%w: it has no %s", errWebhook, event)
	}
}

// run tells of a run. One that is requested may be completed already, for example since it waits for an approval; it has not run.
// One that has ended without a branch or a conclusion is worth asking.
func (w webhook) run() (forge.Sighting, bool, error) {
	wire := *w.Run
	wire.Repository = w.Repository
	if wire.Name == "" && w.Workflow != nil {
		wire.Name = w.Workflow.Name
	}
	run, err := wire.run(w.Repository.FullName)
	ended := w.Action == completed && wire.Status == completed
	switch {
	case errors.Is(err, errUnclear):
		return forge.Sighting{Poke: true}, ended, nil
	case err != nil:
		return forge.Sighting{}, false, fmt.Errorf("%w: the run: %w", errWebhook, err)
	default:
		return forge.Sighting{Run: &run}, ended, nil
	}
}

// job tells of a job.
func (w webhook) job() (forge.Sighting, bool, error) {
	job, err := w.Job.job()
	switch {
	case errors.Is(err, errUnclear):
		return forge.Sighting{}, false, nil
	case err != nil:
		return forge.Sighting{}, false, fmt.Errorf("%w: the job: %w", errWebhook, err)
	default:
		return forge.Sighting{Job: &job}, w.Action == completed, nil
	}
}
