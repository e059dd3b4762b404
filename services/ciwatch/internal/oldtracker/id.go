package tracker

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	forge "github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/oldforge"
)

// event makes an Event about a run. Key tells it apart from others of the same type and repository.
func (s *State) event(run forge.Run, at time.Time, key string, payload events.Payload) Event {
	return Event{ID: deriveID(run.StartedAt, payload.EventType(), strings.ToLower(s.Repository), key), Time: at, Payload: payload}
}

// episodeEvent makes an Event about the current time of degraded health. It is told apart by the count of these times
// and by the run with which it began: two replicas that see the threshold crossed by different runs tell it once.
func (s *State) episodeEvent(at time.Time, payload events.Payload) Event {
	key := fmt.Sprintf("%d\n%s\n%d\n%d", s.WorkflowID, s.Branch, s.Episode, s.Degraded.FirstRunID)
	return Event{
		ID:   deriveID(s.Degraded.FirstStartedAt, payload.EventType(), strings.ToLower(s.Repository), key),
		Time: at, Payload: payload,
	}
}

// runID names one attempt.
func runID(run forge.Run) string {
	return strconv.FormatInt(run.ID, 10) + "\n" + strconv.Itoa(run.Attempt)
}

// deriveID returns a UUIDv7 (RFC 9562) whose time is at and whose random part is a hash of parts, so that the same thing
// told twice has the same id.
func deriveID(at time.Time, parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\n")))
	var id [16]byte
	binary.BigEndian.PutUint64(id[:8], uint64(max(at.UnixMilli(), 0))<<16)
	copy(id[6:], sum[:])
	id[6] = id[6]&0x0f | 0x70
	id[8] = id[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", id[0:4], id[4:6], id[6:8], id[8:10], id[10:16])
}
