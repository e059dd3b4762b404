// Package control answers what operators tell every replica of a service: which level it logs, and that it is to go down. It also has
// the memory of a process watched.
package control

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/emergency"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// maxRequest bounds a request, in bytes.
const maxRequest = 8 << 10

// Replica is a replica of a service, as operators see it. All fields but Others are required.
type Replica struct {
	Bus *bus.Bus
	// Service and Instance name it.
	Service, Instance string
	// Level is what it logs.
	Level *slog.LevelVar
	// Line is its way out.
	Line *emergency.Line
	Log  *slog.Logger
	// Others are the other services of the same process.
	Others []string
}

// Serve answers until ctx ends. It returns when it has subscribed.
func (r Replica) Serve(ctx context.Context) error {
	subjects := r.Bus.Subjects()
	err := r.Bus.Attend(ctx, subjects.Control(r.Service, events.ControlLogLevel), func(m bus.Heard, reply func([]byte, error)) {
		req, err := read[events.LogLevelRequest](m.Body)
		if err == nil && !r.meant(req.Instance) {
			return
		}
		if err != nil {
			reply(nil, err)
			return
		}
		reply(json.Marshal(r.level(ctx, req)))
	})
	if err != nil {
		return err
	}
	return r.Bus.Attend(ctx, subjects.Control(r.Service, events.ControlShutdown), func(m bus.Heard, reply func([]byte, error)) {
		req, err := read[events.ShutdownRequest](m.Body)
		if err == nil && !r.meant(req.Instance) {
			return
		}
		if err != nil {
			reply(nil, err)
			return
		}
		r.shutdown(ctx, req, reply)
	})
}

// meant reports whether a request is for this replica.
func (r Replica) meant(instance string) bool { return cmp.Or(instance, r.Instance) == r.Instance }

// read reads a request. An empty one is that with no fields.
func read[T interface{ Validate() error }](body []byte) (req T, err error) {
	if len(body) > maxRequest {
		return req, events.Errorf(events.CodeInvalidArgument, "the request has %d bytes; at most %d are allowed", len(body), maxRequest)
	}
	if len(body) > 0 {
		if err := json.Unmarshal(body, &req); err != nil {
			return req, events.Errorf(events.CodeInvalidArgument, "the request is not the JSON that it must be: %w", err)
		}
	}
	return req, req.Validate()
}

// level says what is logged, and changes it if that is asked for.
func (r Replica) level(ctx context.Context, req events.LogLevelRequest) events.LogLevelReply {
	reply := events.LogLevelReply{Service: r.Service, Instance: r.Instance, Before: word(r.Level.Level())}
	reply.Level = reply.Before
	if req.Level == "" || req.Level == reply.Before {
		return reply
	}
	var level slog.Level
	if err := level.UnmarshalText([]byte(req.Level)); err != nil { // the request was checked
		r.Log.ErrorContext(ctx, "a level that is none was asked for", "err", err)
		return reply
	}
	r.Level.Set(level)
	reply.Level = req.Level
	r.Log.WarnContext(ctx, "an operator has changed what is logged", "log_level", reply.Level, "before", reply.Before)
	return reply
}

// word is a level as settings name it.
func word(level slog.Level) string { return strings.ToLower(level.String()) }

// shutdown tells why the replica goes down, answers, and ends it.
func (r Replica) shutdown(ctx context.Context, req events.ShutdownRequest, reply func([]byte, error)) {
	announced, err := r.Line.Announce(ctx, events.SystemEmergencyShutdown{Reason: req.Reason, Trigger: events.TriggerOperator})
	if err != nil {
		reply(nil, fmt.Errorf("the event cannot be made: %w", err))
		return
	}
	reply(json.Marshal(events.ShutdownReply{
		Service: r.Service, Instance: r.Instance, EventID: announced.EventID, Stored: announced.Stored, Others: r.Others,
	}))
	r.Line.End()
}
