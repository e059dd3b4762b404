package generator

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/singleflight"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/keyring"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/providers"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/generator/internal/engine"
	"github.com/neuron7x/mlsdm-integrations/services/generator/internal/limits"
	"github.com/neuron7x/mlsdm-integrations/services/generator/internal/route"
)

// Bounds of the list of models.
const (
	listTimeout = 5 * time.Second  // for all providers together
	listFor     = time.Minute      // for which what a provider has told is told again
	failedFor   = 10 * time.Second // for which it is told again that it could not be asked
	maxModels   = 2000             // of one provider
)

// models answers which models there are.
type models struct {
	worker    *worker
	limiter   *limits.Limiter
	providers []engine.Provider
	log       *slog.Logger

	asking singleflight.Group // one call to a provider answers all who ask meanwhile

	mu   sync.Mutex
	told map[string]told // by provider
}

// told is what a provider has told.
type told struct {
	at    time.Time
	names []string
	err   error
}

// lasts is how long it is told again.
func (t told) lasts() time.Duration {
	if t.err != nil {
		return failedFor
	}
	return listFor
}

// handle answers one request.
func (m *models) handle(ctx context.Context, r *bus.Request) error {
	var req events.ModelsRequest
	if len(r.Body) > 0 {
		if err := events.DecodeJSON(r.Body, &req); err != nil {
			return err
		}
	}
	if err := req.Validate(); err != nil {
		return err
	}
	if req.Provider != "" && m.worker.table.Get(req.Provider) == nil {
		return events.Errorf(events.CodeNotFound, "there is no provider %q; available: %s", llm.Bound(req.Provider, 80), m.worker.table)
	}
	body, err := encode(m.list(ctx, r.Caller, req.Provider))
	if err != nil {
		return err
	}
	return r.Respond(body)
}

// list makes the list for a caller: of one provider, or of all and the aliases.
func (m *models) list(ctx context.Context, caller, provider string) events.ModelsList {
	list := events.ModelsList{Object: "list", Data: []events.Model{}}
	named := make(map[string]route.Target)
	for _, target := range m.worker.table.Targets() {
		if provider == "" || target.Provider == provider {
			named[target.ID] = target
		}
	}
	for name, t := range m.ask(ctx, provider) {
		if t.err != nil {
			if list.Errors == nil {
				list.Errors = make(map[string]string)
			}
			list.Errors[name] = events.AsError(t.err).Message
		}
		for _, model := range t.names {
			named[name+"/"+model] = route.Target{Provider: name, Model: model, ID: name + "/" + model}
		}
		if len(t.names) == 0 { // it takes any name
			named[name+"/*"] = route.Target{Provider: name, Model: "*", ID: name + "/*"}
		}
	}
	for _, id := range slices.Sorted(maps.Keys(named)) {
		list.Data = append(list.Data, m.model(caller, named[id]))
	}
	if provider == "" {
		for _, alias := range m.worker.table.Aliases() {
			list.Data = append(list.Data, m.alias(caller, alias))
		}
	}
	for i := range list.Data {
		list.Data[i].Default = list.Data[i].ID == m.worker.defaultModel
	}
	slices.SortStableFunc(list.Data, func(a, b events.Model) int {
		switch {
		case a.Available == b.Available:
			return strings.Compare(a.ID, b.ID)
		case a.Available:
			return -1
		default:
			return 1
		}
	})
	return list
}

// model describes one model.
func (m *models) model(caller string, target route.Target) events.Model {
	state := m.worker.engine.Available(target.Provider, target.Model)
	return events.Model{
		ID: target.ID, Object: events.ObjectModel, OwnedBy: target.Provider,
		Available: state.Available, Reason: reason(state), RetryAfterMS: wait(state.Until), Price: m.worker.prices.Model(target.ID),
		Limits: m.limiter.Left(limits.Scope{Caller: caller, Provider: target.Provider, Model: target.ID}),
	}
}

// alias describes a name for several models: it is available if one of them is.
func (m *models) alias(caller string, to *route.Route) events.Model {
	all := events.Model{ID: to.Name, Object: events.ObjectModel, OwnedBy: "alias"}
	for _, tier := range to.Tiers {
		var targets []events.ModelTarget
		for _, target := range tier {
			targets = append(targets, events.ModelTarget{Model: target.ID, Weight: target.Weight})
			state := m.worker.engine.Available(target.Provider, target.Model)
			if state.Available && !all.Available { // it is the first that would be asked
				all.Available, all.Reason, all.RetryAfterMS = true, "", 0
				all.Limits = m.limiter.Left(limits.Scope{Caller: caller, Provider: target.Provider, Model: target.ID, Alias: to.Name})
			}
			if after := wait(state.Until); !all.Available && (all.Reason == "" || after > 0 && after < all.RetryAfterMS) {
				all.Reason, all.RetryAfterMS = reason(state), after
			}
		}
		all.Targets = append(all.Targets, targets)
	}
	return all
}

// ask returns, by provider, what those have told that can tell, now or a short while ago. Those with a list of the operator's are not
// asked.
func (m *models) ask(ctx context.Context, provider string) map[string]told {
	ctx, cancel := context.WithTimeout(ctx, listTimeout)
	defer cancel()
	answers := make(map[string]told)
	var mu sync.Mutex
	var group errgroup.Group
	for i, p := range m.worker.table.All() {
		if provider != "" && p.Name != provider || len(p.Models) > 0 {
			continue
		}
		lister, ok := m.providers[i].Adapter.(llm.Lister)
		if !ok {
			answers[p.Name] = told{}
			continue
		}
		group.Go(func() error {
			answer := m.askOne(ctx, p, lister)
			mu.Lock()
			defer mu.Unlock()
			answers[p.Name] = answer
			return nil
		})
	}
	_ = group.Wait() // its functions return nil
	return answers
}

// askOne asks one provider, unless it was asked a short while ago, or is being asked.
func (m *models) askOne(ctx context.Context, p providers.Provider, lister llm.Lister) told {
	if known, ok := m.known(p.Name); ok {
		return known
	}
	asked := m.asking.DoChan(p.Name, func() (any, error) {
		if known, ok := m.known(p.Name); ok { // somebody else has just asked
			return known, nil
		}
		// Whoever asked first may leave: others wait, too.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), listTimeout)
		defer cancel()
		answer := m.ofProvider(ctx, p, lister)
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.told == nil {
			m.told = make(map[string]told)
		}
		m.told[p.Name] = answer
		return answer, nil
	})
	select {
	case result := <-asked:
		if answer, ok := result.Val.(told); ok {
			return answer
		}
		return told{err: events.Errorf(events.CodeInternal, "asking for the models of %s failed", p.Name)}
	case <-ctx.Done():
		return told{err: events.AsError(context.Cause(ctx))}
	}
}

// known is what a provider has told a short while ago, if it has.
func (m *models) known(provider string) (told, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	known, ok := m.told[provider]
	return known, ok && time.Since(known.at) < known.lasts()
}

// ofProvider asks a provider for its models.
func (m *models) ofProvider(ctx context.Context, p providers.Provider, lister llm.Lister) (answer told) {
	defer func() {
		if v := recover(); v != nil { // nobody is there to whom it could go on, but the end of the process
			m.log.ErrorContext(ctx, "the models of a provider cannot be asked for", "provider", p.Name, "panic", fmt.Sprint(v))
			answer = told{at: time.Now(), err: events.Errorf(events.CodeInternal, "asking for the models of %s failed", p.Name)}
		}
	}()
	var key secret.Value
	if len(p.Keys) > 0 {
		key = p.Keys[0].Value
	}
	sent := secret.NewValue(key.Reveal())
	answer.names, answer.err = lister.Models(ctx, sent)
	if key.IsLive() && events.CodeOf(answer.err) == events.CodeUnauthenticated {
		if _, changed := key.Renew(ctx, sent.Reveal()); changed {
			answer.names, answer.err = lister.Models(ctx, secret.NewValue(key.Reveal()))
		}
	}
	answer.at = time.Now()
	if len(answer.names) > maxModels {
		answer.names = answer.names[:maxModels]
	}
	return answer
}

// reason says why something is not available.
func reason(state keyring.Availability) string {
	if state.Available {
		return ""
	}
	switch state.Class {
	case llm.ClassKey:
		return "its API key is not accepted, or missing"
	case llm.ClassLimit:
		return "its rate limit is used up"
	case llm.ClassQuota:
		return "the money behind its API key is used up"
	case llm.ClassNetwork:
		return "its server cannot be reached"
	default:
		return "its server fails"
	}
}

// wait is how long it is until a time, in milliseconds; 0 when nobody knows.
func wait(until time.Time) int64 {
	if until.IsZero() {
		return 0
	}
	return max(time.Until(until).Milliseconds(), 1)
}
