package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/neuron7x/mlsdm-integrations/cmd/mlsdmctl/internal/declared"
	"github.com/neuron7x/mlsdm-integrations/pkg/client"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// What is to be done with an endpoint.
const (
	actionCreate = "create"
	actionChange = "change"
	actionKeep   = "keep"
	actionRemove = "remove"
)

// plan is what apply is about to do, and afterwards what became of it.
type plan struct {
	DryRun    bool    `json:"dry_run"`
	Endpoints []*step `json:"endpoints"`
}

// step is one endpoint of a plan.
type step struct {
	ID      string            `json:"id"`
	Action  string            `json:"action"`
	Changes []declared.Change `json:"changes,omitempty"`
	Secrets []toldSecret      `json:"secrets,omitempty"`
	// Error says why it cannot be, or was not, done.
	Error string `json:"error,omitempty"`

	spec     events.EndpointSpec
	revision uint64
	overlap  string
}

func (s *step) fail(err error) { s.Error = err.Error() }

// plan compares the file with what is there. The dispatcher checks each change without making it.
func (w webhooksApplyCommand) plan(ctx context.Context, cl *client.Client, want []declared.Endpoint) (*plan, error) {
	all, err := cl.Endpoints(ctx)
	if err != nil {
		return nil, err
	}
	there := make(map[string]events.Endpoint, len(all))
	for _, e := range all {
		there[e.ID] = e
	}
	p := &plan{DryRun: w.DryRun, Endpoints: []*step{}}
	for _, e := range want {
		was, exists := there[e.ID]
		delete(there, e.ID)
		s := &step{ID: e.ID, Action: actionCreate, spec: e.EndpointSpec, overlap: overlapOf(w.Overlap)}
		if exists {
			s.Action, s.revision = actionChange, was.Revision
		} else {
			was.ID = e.ID // which is not worth a line
		}
		if s.Changes, err = declared.Diff(was.EndpointSpec, e.EndpointSpec); err != nil {
			return nil, err
		}
		if err := s.check(ctx, cl); err != nil {
			s.fail(err)
		}
		p.Endpoints = append(p.Endpoints, s)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
	for _, e := range all {
		if _, left := there[e.ID]; left && w.Prune && e.Source == sourceBus {
			p.Endpoints = append(p.Endpoints, &step{ID: e.ID, Action: actionRemove, revision: e.Revision})
		}
	}
	return p, nil
}

// check has the dispatcher judge the step. What it finds no different is kept, however it is written.
func (s *step) check(ctx context.Context, cl *client.Client) error {
	if s.Action == actionCreate {
		_, err := cl.CreateEndpoint(ctx, events.EndpointCreateRequest{Endpoint: s.spec, DryRun: true})
		return err
	}
	if len(s.Changes) == 0 {
		s.Action = actionKeep
		return nil
	}
	change, err := s.update(ctx, cl, true)
	if err == nil && len(change.Changes) == 0 {
		s.Action, s.Changes = actionKeep, nil
	}
	return err
}

func (s *step) update(ctx context.Context, cl *client.Client, dryRun bool) (client.EndpointChange, error) {
	text, err := json.Marshal(s.spec)
	if err != nil {
		return client.EndpointChange{}, err
	}
	return cl.UpdateEndpoint(ctx, events.EndpointUpdateRequest{
		ID: s.ID, Endpoint: text, Replace: true, Revision: s.revision, Overlap: s.overlap, DryRun: dryRun,
	})
}

// apply makes or changes the endpoint, unless it is known that it cannot be.
func (s *step) apply(ctx context.Context, cl *client.Client, sink *secretSink) (told []toldSecret, err error) {
	if s.Error != "" {
		return nil, fmt.Errorf("%s", s.Error)
	}
	var change client.EndpointChange
	if s.Action == actionCreate {
		change, err = cl.CreateEndpoint(ctx, events.EndpointCreateRequest{Endpoint: s.spec})
	} else {
		change, err = s.update(ctx, cl, false)
	}
	if err != nil {
		return nil, err
	}
	return sink.take(s.ID, change.Secrets)
}

// failed counts what cannot be, or was not, done.
func (p *plan) failed() int {
	n := 0
	for _, s := range p.Endpoints {
		if s.Error != "" {
			n++
		}
	}
	return n
}

// failure is the error of a plan that was not carried out whole.
func (p *plan) failure() error {
	if n := p.failed(); n > 0 {
		return fmt.Errorf("%d of %d endpoints failed", n, len(p.Endpoints))
	}
	return nil
}

// print shows the plan.
func (p *plan) print(t terminal) error {
	counts := make(map[string]int)
	for _, s := range p.Endpoints {
		if s.Error == "" {
			counts[s.Action]++
		}
		if err := s.print(t); err != nil {
			return err
		}
	}
	word := "to do"
	if counts[actionKeep] == len(p.Endpoints) {
		word = "nothing to do"
	}
	wrong := ""
	if n := p.failed(); n > 0 {
		wrong = fmt.Sprintf(", %d wrong", n)
	}
	_, err := fmt.Fprintf(t.out, "%s: %d to create, %d to change, %d to remove, %d as declared%s\n",
		word, counts[actionCreate], counts[actionChange], counts[actionRemove], counts[actionKeep], wrong)
	return err
}

// print shows one step.
func (s *step) print(t terminal) error {
	sign := map[string]string{actionCreate: "+", actionChange: "~", actionKeep: "=", actionRemove: "-"}[s.Action]
	fmt.Fprintf(t.out, "%s %s\n", sign, printable(s.ID))
	if err := printChanges(t.out, "    ", s.Changes, s.Action == actionCreate); err != nil {
		return err
	}
	if s.Error != "" {
		fmt.Fprintf(t.out, "  ! %s\n", printable(s.Error))
	}
	return nil
}

// printOutcome shows what became of one step.
func (s *step) printOutcome(t terminal, sink *secretSink) error {
	if s.Error != "" {
		_, err := fmt.Fprintf(t.out, "%s failed: %s\n", printable(s.ID), printable(s.Error))
		return err
	}
	done := strings.TrimSuffix(s.Action, "e") + "ed"
	if _, err := fmt.Fprintf(t.out, "%s %s\n", printable(s.ID), done); err != nil {
		return err
	}
	return sink.print(t, s.Secrets)
}
