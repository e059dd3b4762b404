package tracker

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge"
)

// DeriveID returns a UUIDv7 (RFC 9562) whose time is at and whose random part is a hash of parts, so that the same thing
// told twice has the same id.
func DeriveID(at time.Time, parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\n")))
	var id [16]byte
	binary.BigEndian.PutUint64(id[:8], uint64(max(at.UnixMilli(), 0))<<16)
	copy(id[6:], sum[:])
	id[6] = id[6]&0x0f | 0x70
	id[8] = id[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", id[0:4], id[4:6], id[6:8], id[8:10], id[10:16])
}

// key tells the state apart from all others. Forges do not tell repositories by upper and lower case, so neither does the key.
func (s *State) key() string {
	return strings.Join([]string{
		s.Forge, strings.ToLower(s.Repository), strconv.FormatInt(s.WorkflowID, 10), s.Branch, strconv.FormatBool(s.PullRequests),
	}, "\n")
}

// runKey tells one attempt apart from the others of the state.
func runKey(id int64, attempt int) string {
	return strconv.FormatInt(id, 10) + "\n" + strconv.Itoa(attempt)
}

// runEvent makes an Event about one attempt.
func (s *State) runEvent(run forge.Run, payload events.Payload) Event {
	id := DeriveID(run.StartedAt, payload.EventType(), s.key(), runKey(run.ID, run.Attempt))
	return Event{ID: id, Time: run.CompletedAt, Payload: payload}
}

// episodeEvent makes an Event about the current time of degraded health. It is told apart by the count of these times
// and by the run with which it began, not by the run that was the last straw.
func (s *State) episodeEvent(at time.Time, payload events.Payload) Event {
	id := DeriveID(s.Degraded.FirstStartedAt, payload.EventType(), s.key(), strconv.Itoa(s.Episode), strconv.FormatInt(s.Degraded.FirstRunID, 10))
	return Event{ID: id, Time: at, Payload: payload}
}
