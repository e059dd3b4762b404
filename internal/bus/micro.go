package bus

import (
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"github.com/neuron7x/mlsdm-integrations/internal/version"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// The micro protocol is answered here and not by the library's own micro.Service, which runs one handler at a time per
// endpoint and measures how long the handler took to return: handlers that run side by side would falsify it.

// endpointStats counts what one endpoint answered.
type endpointStats struct {
	mu         sync.Mutex
	requests   int
	errors     int
	lastError  string
	processing time.Duration
}

// count adds one answered request.
func (s *endpointStats) count(took time.Duration, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests++
	s.processing += took
	if err != nil {
		s.errors++
		coded := events.AsError(err)
		s.lastError = string(coded.Code) + ":" + coded.Message
	}
}

// snapshot returns the counts in the form of the protocol.
func (s *endpointStats) snapshot(e *endpoint) *micro.EndpointStats {
	s.mu.Lock()
	defer s.mu.Unlock()
	stats := &micro.EndpointStats{
		Name: e.name, Subject: e.subject, QueueGroup: queueGroup,
		NumRequests: s.requests, NumErrors: s.errors, LastError: s.lastError, ProcessingTime: s.processing,
	}
	if s.requests > 0 {
		stats.AverageProcessingTime = s.processing / time.Duration(s.requests)
	}
	return stats
}

// listenMicro answers PING, INFO and STATS, for everyone, for this service, and for this instance.
func (s *server) listenMicro() error {
	for verb, answer := range map[string]func() any{"PING": s.ping, "INFO": s.describe, "STATS": s.statistics} {
		for _, subject := range []string{
			fmt.Sprintf("%s.%s", micro.APIPrefix, verb),
			fmt.Sprintf("%s.%s.%s", micro.APIPrefix, verb, s.info.Name),
			fmt.Sprintf("%s.%s.%s.%s", micro.APIPrefix, verb, s.info.Name, s.id),
		} {
			sub, err := s.bus.nc.Subscribe(subject, func(msg *nats.Msg) { s.answerMicro(msg, answer()) })
			if err != nil {
				return fmt.Errorf("subscribing %s: %w", subject, err)
			}
			s.subs = append(s.subs, sub)
		}
	}
	return nil
}

// answerMicro sends one answer of the protocol.
func (s *server) answerMicro(msg *nats.Msg, answer any) {
	if msg.Reply == "" {
		return
	}
	body, err := json.Marshal(answer)
	if err == nil {
		err = msg.Respond(body)
	}
	if err != nil {
		s.bus.log.Warn("a micro request could not be answered", "subject", msg.Subject, "err", err)
	}
}

// identity is what every answer begins with.
func (s *server) identity() micro.ServiceIdentity {
	return micro.ServiceIdentity{Name: s.info.Name, ID: s.id, Version: version.SemVer(s.info.Version), Metadata: map[string]string{}}
}

func (s *server) ping() any {
	return micro.Ping{ServiceIdentity: s.identity(), Type: micro.PingResponseType}
}

func (s *server) describe() any {
	info := micro.Info{ServiceIdentity: s.identity(), Type: micro.InfoResponseType, Description: s.info.Description}
	for _, e := range s.endpoints {
		info.Endpoints = append(info.Endpoints, micro.EndpointInfo{
			Name: e.name, Subject: e.subject, QueueGroup: queueGroup, Metadata: map[string]string{"description": e.describes},
		})
	}
	return info
}

func (s *server) statistics() any {
	stats := micro.Stats{ServiceIdentity: s.identity(), Type: micro.StatsResponseType, Started: s.started}
	for _, e := range s.endpoints {
		stats.Endpoints = append(stats.Endpoints, e.stats.snapshot(e))
	}
	if s.info.Data == nil || len(stats.Endpoints) == 0 {
		return stats
	}
	data, err := json.Marshal(s.info.Data())
	if err != nil { // the rest is as true without it
		s.bus.log.Warn("what a service tells about itself cannot be written as JSON", "micro_service", s.info.Name, "err", err)
		return stats
	}
	stats.Endpoints[0].Data = data
	return stats
}

// inboxID makes a unique id out of what the client library makes anyway.
func inboxID(nc *nats.Conn) string {
	inbox := nc.NewInbox()
	return inboxToken(inbox[max(0, len(inbox)-22):])
}
