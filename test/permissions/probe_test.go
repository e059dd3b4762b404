package permissions_test

import (
	"errors"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
)

// probe tries things as a user and notes what the server refuses.
type probe struct {
	nc      *nats.Conn
	last    chan struct{} // closed when the last thing was refused
	mu      sync.Mutex
	refused map[string]bool // "publish subject" or "subscribe subject"
}

// end is a subject that nobody may publish to: its refusal comes after all others.
const end = "end.of.probe"

func newProbe(t *testing.T, s *bustest.Server, user string) *probe {
	t.Helper()
	p := &probe{last: make(chan struct{}), refused: map[string]bool{}}
	quoted := regexp.MustCompile(`(?i)permissions violation for (publish|subscription) to "([^"]+)"`)
	p.nc = s.User(t, user, nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
		match := quoted.FindStringSubmatch(err.Error())
		if !errors.Is(err, nats.ErrPermissionViolation) || match == nil {
			t.Errorf("%s: %v", user, err)
			return
		}
		if match[2] == end {
			close(p.last)
			return
		}
		verb := "publish"
		if strings.EqualFold(match[1], "subscription") {
			verb = "subscribe"
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		p.refused[verb+" "+match[2]] = true
	}))
	return p
}

// publish tries to publish. The body is nothing that anybody would act upon.
func (p *probe) publish(t *testing.T, subject string) {
	t.Helper()
	require.NoError(t, p.nc.Publish(subject, []byte("?")), subject)
}

// subscribe tries to subscribe.
func (p *probe) subscribe(t *testing.T, subject string) {
	t.Helper()
	_, err := p.nc.Subscribe(subject, func(*nats.Msg) {})
	require.NoError(t, err, subject)
}

// refusals returns what was refused of all that was tried.
func (p *probe) refusals(t *testing.T) map[string]bool {
	t.Helper()
	p.publish(t, end)
	require.NoError(t, p.nc.FlushTimeout(20*time.Second))
	select {
	case <-p.last:
	case <-time.After(20 * time.Second):
		require.Fail(t, "the server does not answer")
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.refused
}
