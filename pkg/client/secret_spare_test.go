package client

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// TestSpareKeysAreTakenOnce however many take them at once.
func TestSpareKeysAreTakenOnce(t *testing.T) {
	t.Parallel()
	for _, alg := range []string{events.SealXKey, events.SealHybrid} {
		synctest.Test(t, func(t *testing.T) {
			var s spareKeys
			var mu sync.Mutex
			var takers sync.WaitGroup
			seen := map[string]bool{}
			for range 8 {
				takers.Go(func() {
					for range 20 {
						key, nonce, err := s.take(alg)
						if err != nil {
							t.Error(err)
							return
						}
						mu.Lock()
						if seen[key.recipient()] || seen[nonce] {
							t.Error("a key or a nonce was given twice")
						}
						seen[key.recipient()], seen[nonce] = true, true
						mu.Unlock()
					}
				})
			}
			takers.Wait()
			synctest.Wait()
			if n := len(s.kinds[alg].keys); n <= maxSpare/2 || n > maxSpare {
				t.Errorf("%d keys are ready for who asks often; of %d no more than half are missed", n, maxSpare)
			}
		})
	}
}

// TestSpareKeysForWhoAsksSeldom are one.
func TestSpareKeysForWhoAsksSeldom(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var s spareKeys
		for range 5 {
			if _, _, err := s.take(events.SealXKey); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if n := len(s.kinds[events.SealXKey].keys); n != 1 {
				t.Errorf("%d keys are ready", n)
			}
			<-time.After(time.Minute)
		}
	})
}

// TestSpareKeysAreWiped at the end, and none is made after it.
func TestSpareKeysAreWiped(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var s spareKeys
		if _, _, err := s.take(events.SealXKey); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		kind := s.kinds[events.SealXKey]
		spare := kind.keys[0]
		s.close()
		sender, err := newOneTimeKey()
		if err != nil {
			t.Fatal(err)
		}
		sealed, err := sender.pair.Seal([]byte("a value"), spare.recipient())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := spare.unseal("", events.SecretResponse{Sealed: sealed, SenderKey: sender.public}); err == nil {
			t.Error("a key that nobody took opens something after the end")
		}
		if _, _, err := s.take(events.SealXKey); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if len(kind.keys) != 0 {
			t.Error("keys are made after the end")
		}
	})
}
