package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

// The statuses that a process ends with, beside 0.
const (
	ExitFailure = 1 // it could not do its work
	ExitUsage   = 2 // it was called in a wrong way, or configured so
	// ExitEmergency is the end of a process that has published system.emergency_shutdown: its memory could not be freed, or an operator
	// said so. To start it again is worth a try (EX_TEMPFAIL of sysexits.h).
	ExitEmergency = 75
	ExitKilled    = 130 // somebody lost patience with its stop
)

// EmergencyError ends a process that has published system.emergency_shutdown.
type EmergencyError struct {
	// Reason is that of the event.
	Reason string
}

// Error implements error.
func (e *EmergencyError) Error() string { return "emergency shutdown: " + e.Reason }

// ExitCode returns [ExitEmergency].
func (e *EmergencyError) ExitCode() int { return ExitEmergency }

// WithSignals returns a context that ends at the first SIGINT or SIGTERM, with the signal as its cause. At the second
// one kill is called, which should end the process at once. stop gives the signals back.
func WithSignals(parent context.Context, kill func()) (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(parent)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	quit := make(chan struct{})
	go func() {
		select {
		case s := <-signals:
			cancel(fmt.Errorf("signal: %s", s))
		case <-quit:
			return
		}
		select {
		case <-signals:
			kill()
		case <-quit:
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		close(quit)
		cancel(context.Canceled)
	}
}

// ExitCode returns the status that a process should end with after err: what an error in its chain says with a method
// ExitCode() int, else [ExitFailure]; 0 for nil.
func ExitCode(err error) int {
	if err == nil {
		return 0
	}
	var coder interface{ ExitCode() int }
	if errors.As(err, &coder) {
		return coder.ExitCode()
	}
	return ExitFailure
}
