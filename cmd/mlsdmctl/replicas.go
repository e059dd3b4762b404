package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/permissions"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// replicaPause is how long after an answer another replica may take to answer.
const replicaPause = 500 * time.Millisecond

// maxInstance is how much of the name of a replica is shown.
const maxInstance = 80

// levels asks the replicas of services what they log, or to log another level, and returns their answers in the order of their names.
// Services of which nobody answers are left out; when that is so of all, the error says so.
func levels(ctx context.Context, b *bus.Bus, services []string, req events.LogLevelRequest) ([]events.LogLevelReply, error) {
	body, err := json.Marshal(req)
	if err != nil {
		return nil, err
	}
	var mu sync.Mutex
	var all []events.LogLevelReply
	var errs []error
	var asking sync.WaitGroup
	for _, service := range services {
		asking.Go(func() {
			replies, err := b.Gather(ctx, bus.Msg{Subject: b.Subjects().Control(service, events.ControlLogLevel), Body: body}, replicaPause)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				errs = append(errs, err)
			}
			for _, r := range replies {
				var reply events.LogLevelReply
				if err := readReply(r, &reply); err != nil {
					errs = append(errs, fmt.Errorf("a replica of %s: %w", service, err))
					continue
				}
				all = append(all, reply)
			}
		})
	}
	asking.Wait()
	for _, err := range errs {
		if len(all) == 0 || !isSilence(err) {
			return all, err
		}
	}
	slices.SortFunc(all, func(a, b events.LogLevelReply) int {
		return cmp.Or(cmp.Compare(a.Service, b.Service), cmp.Compare(a.Instance, b.Instance))
	})
	return all, nil
}

// isSilence reports whether an error says that nobody answers.
func isSilence(err error) bool {
	return events.CodeOf(err) == events.CodeUnavailable && strings.Contains(err.Error(), "nobody answers")
}

// readReply reads an answer, or the error that it is.
func readReply(r bus.Reply, into any) error {
	if err := events.DecodeError(r.Header, r.Body); err != nil {
		return err
	}
	if err := json.Unmarshal(r.Body, into); err != nil {
		return fmt.Errorf("the answer cannot be read: %w", err)
	}
	return nil
}

// replicas returns the names of the replicas of a service, or the one that is meant; that there is none such is an error, which says
// which there are.
func replicas(ctx context.Context, b *bus.Bus, service, instance string) ([]string, error) {
	found, err := levels(ctx, b, []string{service}, events.LogLevelRequest{})
	if err != nil {
		return nil, err
	}
	names := make([]string, 0, len(found))
	for _, r := range found {
		names = append(names, r.Instance)
	}
	switch {
	case instance == "":
		return names, nil
	case slices.Contains(names, instance):
		return []string{instance}, nil
	default:
		return nil, errors.New("there is no replica " + plain(instance, maxInstance) + " of " + service + ", but " + plain(strings.Join(names, ", "), maxSentence))
	}
}

// allServices are those that there can be.
func allServices() []string { return permissions.Services() }
