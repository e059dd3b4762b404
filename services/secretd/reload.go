package secretd

import (
	"context"
	"io/fs"
	"os"
	"sync/atomic"
	"time"
)

const (
	// reloadEvery is how often the file of rules is looked at.
	reloadEvery = 2 * time.Second
	// settled is how long ago it must have been written: who writes it in place may not be done, and half of the rules may be rules,
	// too, that deny what the whole allows.
	settled = reloadEvery / 4
)

// reload knows which version of the file of rules was read last.
type reload struct {
	path   string
	read   fs.FileInfo
	failed atomic.Pointer[error]
}

func newReload(cfg Config) *reload {
	r := &reload{path: cfg.File}
	if r.path != "" {
		r.read, _ = os.Stat(r.path) // where it fails, the next look reads the file
	}
	return r
}

// changed reports whether the file is another than was read last, and is not being written.
func (r *reload) changed() bool {
	info, err := os.Stat(r.path)
	if err != nil {
		changed := r.read != nil
		r.read = nil
		return changed
	}
	same := r.read != nil && os.SameFile(r.read, info) && r.read.ModTime().Equal(info.ModTime()) && r.read.Size() == info.Size()
	if age := time.Since(info.ModTime()); !same && age >= 0 && age < settled {
		return false
	}
	r.read = info
	return !same
}

// problem says why the file that is there is not in force.
func (r *reload) problem() error {
	if err := r.failed.Load(); err != nil {
		return *err
	}
	return nil
}

// reloads reads the file of rules when it changes, until ctx ends. What cannot be used leaves what is in force.
func (s *Service) reloads(ctx context.Context) {
	ticker := time.NewTicker(reloadEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		if !s.reload.changed() {
			continue
		}
		now, err := s.cfg.rules()
		if err != nil {
			s.reload.failed.Store(&err)
			s.metrics.reloads.WithLabelValues("refused").Inc()
			s.log.ErrorContext(ctx, "the new rules cannot be used; the ones before stay in force", "err", err)
			continue
		}
		s.reload.failed.Store(nil)
		s.rules.Store(now)
		s.metrics.reloads.WithLabelValues("taken").Inc()
		s.log.InfoContext(ctx, "new rules are in force", "secrets", now.Len(), "callers", now.Callers(), "stores", now.Stores())
	}
}
