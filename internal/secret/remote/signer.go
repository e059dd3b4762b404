package remote

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nkeys"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// SignerKey is the key in the KV bucket of secretd under which it publishes the public nkey that it signs with. Only secretd may
// write there.
const SignerKey = "signer"

const (
	// signerTimeout bounds one look into the bucket: whoever may not read it gets no answer at all.
	signerTimeout = 2 * time.Second
	// signerPause is the least time between two looks.
	signerPause = 5 * time.Second
	// signerBlind is the same after one that failed.
	signerBlind = 5 * time.Minute
)

// signer knows with which key secretd signs.
type signer struct {
	bus   *bus.Bus
	log   *slog.Logger
	fixed string // by configuration

	mu    sync.Mutex
	found string // in the bucket
	next  time.Time
	said  bool
}

func newSigner(b *bus.Bus) *signer { return &signer{bus: b, log: slog.New(slog.DiscardHandler)} }

// known returns the public key that replies must be signed with; empty when there is none to hold them to.
func (s *signer) known() string {
	if s.fixed != "" {
		return s.fixed
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.found
}

// look is known after a look into the bucket, unless that was a short while ago. A key that was found counts until another is.
func (s *signer) look(ctx context.Context) string {
	if s.fixed != "" {
		return s.fixed
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Now().Before(s.next) {
		return s.found
	}
	ctx, cancel := context.WithTimeout(ctx, signerTimeout)
	defer cancel()
	key, err := s.read(ctx)
	pause := signerPause
	switch {
	case err == nil:
		s.found = key
	case !errors.Is(err, bus.ErrNotFound):
		pause = signerBlind
		s.log.DebugContext(ctx, "the key of secretd cannot be read", "err", err)
	}
	s.next = time.Now().Add(pause)
	return s.found
}

// trusted says, once, that an answer was believed that could be anybody's.
func (s *signer) trusted(ctx context.Context) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.said {
		s.said = true
		s.log.WarnContext(ctx, "only the permissions of the bus tell the answers of secretd from somebody else's: set MLSDM_SECRETD_KEY to its public key")
	}
}

// read reads the key that stands in the bucket.
func (s *signer) read(ctx context.Context) (string, error) {
	bucket, err := s.bus.KV(ctx, events.BucketSecrets)
	if err != nil {
		return "", err
	}
	text, _, err := bucket.Get(ctx, SignerKey)
	if err != nil {
		return "", err
	}
	key := strings.TrimSpace(string(text))
	return key, CheckSigner(key)
}

// errSigner is the error of [CheckSigner].
var errSigner = errors.New("it is no public nkey of a user (U…)")

// CheckSigner checks a public key of secretd, as [Signer] takes it.
func CheckSigner(key string) error {
	if len(key) > 64 || !nkeys.IsValidPublicUserKey(key) {
		return errSigner
	}
	return nil
}
