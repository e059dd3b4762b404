package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/internal/secret/seal"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// canary is the key that the keeper generates.
const canary = "whsec_Y2FuYXJ5"

// endpointKeeper keeps endpoints in memory and answers as the dispatcher does.
type endpointKeeper struct {
	url string

	mu        sync.Mutex
	endpoints map[string]events.Endpoint
	revision  uint64
	changes   int               // made, dry runs not counted
	refuse    map[string]string // by id, why it cannot be created or changed
	attempt   events.DeliveryAttempt
}

// startKeeper serves a keeper on a server of its own.
func startKeeper(t *testing.T) *endpointKeeper {
	t.Helper()
	s := bustest.Start(t, bustest.Bare())
	f := &endpointKeeper{url: s.URL(), endpoints: make(map[string]events.Endpoint), refuse: make(map[string]string)}
	service := bus.Service{Name: events.MicroName(events.ServiceDispatcher), Version: "1.0.0", DrainTimeout: 100 * time.Millisecond}
	for name, handler := range map[string]func(*bus.Request) (any, error){
		events.OpEndpointsList: answer(f.list), events.OpEndpointsGet: answer(f.get), events.OpEndpointsCreate: answer(f.create),
		events.OpEndpointsUpdate: answer(f.update), events.OpEndpointsDelete: answer(f.remove), events.OpEndpointsRotate: answer(f.rotate),
		events.OpEndpointsTest: answer(func(events.EndpointRequest) (any, error) { return f.attempt, nil }),
	} {
		service.Operations = append(service.Operations, bus.Operation{Name: name, Handler: func(_ context.Context, r *bus.Request) error {
			f.mu.Lock()
			defer f.mu.Unlock()
			reply, err := handler(r)
			if err != nil {
				return err
			}
			body, err := json.Marshal(reply)
			if err != nil {
				return err
			}
			return r.Respond(body)
		}})
	}
	b := s.Connect(t, "fake")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- b.Serve(ctx, service) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-done)
	})
	require.Eventually(t, func() bool { // it answers pings once it is subscribed to everything
		ask, stop := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer stop()
		_, err := b.Request(ask, bus.Msg{Subject: "$SRV.PING." + service.Name})
		return err == nil
	}, 15*time.Second, time.Millisecond)
	return f
}

// answer reads a request's body, checks it, and hands it on.
func answer[T any](handler func(T) (any, error)) func(*bus.Request) (any, error) {
	return func(r *bus.Request) (any, error) {
		var req T
		if err := events.DecodeJSON(r.Body, &req); err != nil {
			return nil, err
		}
		if v, ok := any(req).(interface{ Validate() error }); ok {
			if err := v.Validate(); err != nil {
				return nil, err
			}
		}
		return handler(req)
	}
}

// list answers two endpoints a page.
func (f *endpointKeeper) list(req events.EndpointsListRequest) (any, error) {
	var page events.EndpointsList
	for _, id := range slices.Sorted(maps.Keys(f.endpoints)) {
		if id <= req.After {
			continue
		}
		if len(page.Endpoints) == 2 {
			page.Next = page.Endpoints[1].ID
			break
		}
		page.Endpoints = append(page.Endpoints, f.endpoints[id])
	}
	return page, nil
}

func (f *endpointKeeper) find(id string) (events.Endpoint, error) {
	e, ok := f.endpoints[id]
	if !ok {
		return e, events.Errorf(events.CodeNotFound, "there is no endpoint %s", id)
	}
	return e, nil
}

func (f *endpointKeeper) get(req events.EndpointRequest) (any, error) { return f.find(req.ID) }

func (f *endpointKeeper) create(req events.EndpointCreateRequest) (any, error) {
	if err := req.Endpoint.Validate(); err != nil {
		return nil, err
	}
	if _, err := f.find(req.Endpoint.ID); err == nil {
		return nil, events.Errorf(events.CodeFailedPrecondition, "there is an endpoint %s already", req.Endpoint.ID)
	}
	return f.store(events.Endpoint{}, req.Endpoint, req.DryRun, req.RecipientKey)
}

func (f *endpointKeeper) update(req events.EndpointUpdateRequest) (any, error) {
	was, err := f.find(req.ID)
	if err != nil {
		return nil, err
	}
	if req.Revision != 0 && req.Revision != was.Revision {
		return nil, events.Errorf(events.CodeFailedPrecondition, "endpoint %s has revision %d by now", req.ID, was.Revision)
	}
	var spec events.EndpointSpec
	text := []byte(req.Endpoint)
	if !req.Replace {
		merged, err := merge(was.EndpointSpec, req.Endpoint)
		if err != nil {
			return nil, err
		}
		text = merged
	}
	if err := json.Unmarshal(text, &spec); err != nil {
		return nil, err
	}
	spec.ID = req.ID
	if err := spec.Validate(); err != nil {
		return nil, err
	}
	return f.store(was, spec, req.DryRun, req.RecipientKey)
}

// merge applies a patch, two levels deep.
func merge(spec events.EndpointSpec, patch json.RawMessage) ([]byte, error) {
	text, err := json.Marshal(spec)
	if err != nil {
		return nil, err
	}
	var fields, changes map[string]any
	if err := json.Unmarshal(text, &fields); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(patch, &changes); err != nil {
		return nil, err
	}
	for name, value := range changes {
		inner, isTable := value.(map[string]any)
		table, was := fields[name].(map[string]any)
		if isTable && !was {
			table = make(map[string]any)
		}
		if isTable {
			maps.Copy(table, inner)
			maps.DeleteFunc(table, func(_ string, v any) bool { return v == nil })
			value = table
		}
		fields[name] = value
		if value == nil {
			delete(fields, name)
		}
	}
	return json.Marshal(fields)
}

// store makes an endpoint what spec says.
func (f *endpointKeeper) store(was events.Endpoint, spec events.EndpointSpec, dryRun bool, recipient string) (any, error) {
	if why, refused := f.refuse[spec.ID]; refused {
		return nil, events.Errorf(events.CodeInvalidArgument, "%s", why)
	}
	reply := events.EndpointChanged{Endpoint: was, Changes: differing(was.EndpointSpec, spec)}
	reply.Endpoint.EndpointSpec, reply.Endpoint.Source = spec, cmp.Or(was.Source, "bus")
	if len(reply.Changes) == 0 || dryRun {
		return reply, nil
	}
	f.revision++
	f.changes++
	reply.Endpoint.Revision = f.revision
	if was.ID == "" && (len(spec.Signing) == 0 || spec.Signing[0].Key == "") {
		if err := f.generate(&reply, recipient); err != nil {
			return nil, err
		}
	}
	f.endpoints[spec.ID] = reply.Endpoint
	return reply, nil
}

// generate makes a key and tells it.
func (f *endpointKeeper) generate(reply *events.EndpointChanged, recipient string) error {
	sealed, sender, err := seal.Seal(secret.NewValue(canary), recipient)
	if err != nil {
		return err
	}
	key := events.EndpointKey{ID: "k" + reply.Endpoint.ID, Method: events.SignHMAC}
	reply.Endpoint.Keys = append([]events.EndpointKey{key}, reply.Endpoint.Keys...)
	reply.Secrets = []events.EndpointSecret{{KeyID: key.ID, SenderKey: sender, Sealed: sealed}}
	return nil
}

func (f *endpointKeeper) remove(req events.EndpointDeleteRequest) (any, error) {
	if _, err := f.find(req.ID); err != nil {
		return nil, err
	}
	f.changes++
	delete(f.endpoints, req.ID)
	return events.EndpointDeleted{ID: req.ID}, nil
}

func (f *endpointKeeper) rotate(req events.EndpointRotateRequest) (any, error) {
	e, err := f.find(req.ID)
	if err != nil {
		return nil, err
	}
	f.revision++
	f.changes++
	for i := range e.Keys {
		e.Keys[i].ExpiresAt = time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	}
	e.Revision = f.revision
	reply := events.EndpointChanged{Endpoint: e, Changes: []string{"signing"}}
	if req.Signing.Key == "" {
		err = f.generate(&reply, req.RecipientKey)
	} else {
		reply.Endpoint.Keys = append([]events.EndpointKey{{ID: "ref", Method: cmp.Or(req.Signing.Method, "v1"), Reference: req.Signing.Key}}, e.Keys...)
	}
	f.endpoints[req.ID] = reply.Endpoint
	return reply, err
}

// differing names the fields that differ.
func differing(was, is events.EndpointSpec) []string {
	fields := func(spec events.EndpointSpec) (m map[string]json.RawMessage) {
		text, err := json.Marshal(spec)
		if err == nil {
			err = json.Unmarshal(text, &m)
		}
		if err != nil {
			panic(err)
		}
		return m
	}
	a, b := fields(was), fields(is)
	names := maps.Clone(a)
	maps.Copy(names, b)
	maps.DeleteFunc(names, func(name string, _ json.RawMessage) bool { return bytes.Equal(a[name], b[name]) })
	return slices.Sorted(maps.Keys(names))
}

// mlsdmctl runs a command line against the keeper.
func (f *endpointKeeper) mlsdmctl(t *testing.T, code int, in string, args ...string) (out, errs string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	got := run(t.Context(), append([]string{"--server", f.url}, args...), terminal{
		in: strings.NewReader(in), out: &stdout, err: &stderr, lookup: func(string) (string, bool) { return "", false },
	})
	require.Equal(t, code, got, "%v\n%s\n%s", args, stdout.String(), stderr.String())
	return stdout.String(), stderr.String()
}

// spec returns what the keeper has of an endpoint.
func (f *endpointKeeper) spec(t *testing.T, id string) events.EndpointSpec {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	require.Contains(t, f.endpoints, id)
	return f.endpoints[id].EndpointSpec
}
