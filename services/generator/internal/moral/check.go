package moral

import (
	"errors"
	"fmt"
	"net/http"
	"net/textproto"
	"strings"
	"time"
)

// Bounds of settings.
const (
	minWindow, maxWindow   = 40, 20_000
	minMaxText, maxMaxText = 1 << 10, 32 << 20
	minTimeout, maxTimeout = 10 * time.Millisecond, time.Minute
	maxHeaders             = 32
)

// Validate checks that the numbers fit together. It returns everything that is wrong.
func (c *Config) Validate() error {
	var errs []error
	wrong := func(bad bool, format string, args ...any) {
		if bad {
			errs = append(errs, fmt.Errorf(format, args...)) //nolint:err113 // for the operator
		}
	}
	share := func(v float64) bool { return v >= 0 && v <= 1 } // not of NaN
	wrong(c.Enabled != Auto && c.Enabled != On && c.Enabled != Off, "enabled is %q; it is auto, on or off", string(c.Enabled))
	wrong(!share(c.Min) || !share(c.Max) || !(c.Min <= c.Initial && c.Initial <= c.Max),
		"min, initial and max are %v, %v and %v; they are 0 to 1, in this order", c.Min, c.Initial, c.Max)
	wrong(!share(c.Target), "target is %v; it is 0 to 1", c.Target)
	wrong(!share(c.Band), "band is %v; it is 0 to 1", c.Band)
	wrong(!share(c.Step), "step is %v; it is 0 to 1", c.Step)
	wrong(!share(c.Alpha) || c.Alpha == 0, "alpha is %v; it is above 0, at most 1", c.Alpha)
	wrong(c.Window < minWindow || c.Window > maxWindow, "window is %d; it is %d to %d runes", c.Window, minWindow, maxWindow)
	wrong(c.Overlap < 0 || c.Overlap > c.Window, "overlap is %d; it is 0 to the window, %d", c.Overlap, c.Window)
	wrong(c.MaxText < minMaxText || c.MaxText > maxMaxText, "max_text is %d; it is %d to %d bytes", c.MaxText, minMaxText, maxMaxText)
	wrong(c.OnScorerError != Reject && c.OnScorerError != Accept, "on_scorer_error is %q; it is reject or accept", string(c.OnScorerError))
	wrong(c.Output && c.Enabled != Off && !c.asks(), "output: on needs a scorer that can be asked; write scorer: {moderation: …} or {http: …}")
	wrong(c.Enabled == On && c.Scorer.Kind == NoScorer, "enabled: on needs scores; write a scorer, or scorer: request")
	wrong(!c.TrustRequest && c.Enabled != Off && c.Scorer.Kind == Request, "scorer: request needs trust_request: there are no other scores")
	errs = append(errs, c.Scorer.validate())
	return errors.Join(errs...)
}

func (s *ScorerConfig) validate() error {
	switch s.Kind {
	case NoScorer, Request:
		return nil
	case Moderation, HTTP:
	default:
		return fmt.Errorf("scorer is %q; it is none, request, moderation or http", string(s.Kind))
	}
	if s.Timeout < minTimeout || s.Timeout > maxTimeout {
		return fmt.Errorf("the scorer's timeout is %s; it is %s to %s", s.Timeout, minTimeout, maxTimeout)
	}
	if len(s.Header) > maxHeaders {
		return fmt.Errorf("the scorer has %d headers; at most %d are allowed", len(s.Header), maxHeaders)
	}
	for name, value := range s.Header {
		if err := checkHeader(name, value); err != nil {
			return err
		}
	}
	return nil
}

// checkHeader checks a header that the operator adds. Values are not quoted: one may be a secret by mistake.
func checkHeader(name, value string) error {
	const alphabet = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"
	if name == "" || strings.Trim(name, alphabet) != "" {
		return fmt.Errorf("%q is not the name of a header", name)
	}
	switch textproto.CanonicalMIMEHeaderKey(name) {
	case "Authorization", "X-Api-Key", "Api-Key", "Proxy-Authorization", "Cookie":
		return fmt.Errorf("the header %s carries a secret; write key: REFERENCE, which is sent as a bearer token", name)
	case "Host", "Content-Length", "Content-Type", "Accept", "Connection", "Transfer-Encoding", "User-Agent":
		return fmt.Errorf("the header %s is set already", name)
	}
	if strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
		return fmt.Errorf("the value of the header %s has a control character", http.CanonicalHeaderKey(name))
	}
	return nil
}
