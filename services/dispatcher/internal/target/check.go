package target

import (
	"slices"
	"strings"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/keyring"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/schedule"
)

// Check judges everything about an endpoint that can be judged without secrets and network. It is what an operator hears
// before anything is stored, so that nothing is accepted that could not be done. Errors are an [events.Error] of code
// invalid_argument; they quote neither the URL nor the value of a header.
func Check(spec events.EndpointSpec) error {
	for _, check := range []func(events.EndpointSpec) error{
		events.EndpointSpec.Validate, checkURL, checkEvents, checkHeaders, checkSigning, checkRetry, checkTLS, checkOrdering,
	} {
		if err := check(spec); err != nil {
			return err
		}
	}
	return nil
}

func checkURL(spec events.EndpointSpec) error {
	if keyring.IsReference(spec.URL) {
		return checkReference("url", spec.URL)
	}
	u, err := ParseURL(spec.URL)
	if err != nil {
		return events.Errorf(events.CodeInvalidArgument, "url: %w", err)
	}
	if strings.Contains(spec.URL, masked) {
		return maskedValue("url")
	}
	return checkTarget(u, spec.TLS)
}

func checkEvents(spec events.EndpointSpec) error {
	if err := checkPatterns(spec.Events); err != nil {
		return err
	}
	_, err := compileFilter(spec.Filter)
	return err
}

func checkRetry(spec events.EndpointSpec) error {
	_, err := schedule.Parse(spec.Retry)
	return err
}

func checkSigning(spec events.EndpointSpec) error {
	var seen []events.EndpointSigning
	hmac := len(spec.Signing) == 0 // which is one generated key of that method
	for i, key := range spec.Signing {
		if key.Method == "" {
			key.Method = events.SignHMAC
		}
		hmac = hmac || key.Method == events.SignHMAC
		if key.Key == "" {
			continue
		}
		if err := checkReference("signing", key.Key); err != nil {
			return err
		}
		if slices.Contains(seen, key) {
			return events.Errorf(events.CodeInvalidArgument, "signing: key %d is there before; each signs once", i+1)
		}
		seen = append(seen, key)
	}
	if wantsBodySignature(spec) && !hmac {
		return noBodyKey()
	}
	return nil
}

func checkOrdering(spec events.EndpointSpec) error {
	if spec.Ordering == events.OrderingStrict && spec.Concurrency > 1 {
		return events.Errorf(events.CodeInvalidArgument, "ordering strict keeps one webhook in flight, and concurrency asks for %d; leave it out", spec.Concurrency)
	}
	return nil
}

// checkReference checks a reference to a secret: secret:NAME or env:NAME. Whether it may be used, and is there, is not
// judged. What is no reference may be the secret itself, so it is not quoted.
func checkReference(field, text string) error {
	if !keyring.IsReference(text) {
		return events.Errorf(events.CodeInvalidArgument, "%s: a secret is named by a reference, secret:NAME or env:NAME", field)
	}
	_, name, _ := strings.Cut(text, ":")
	if _, err := secret.ParseName(name); err != nil {
		return events.Errorf(events.CodeInvalidArgument, "%s: the reference secret:NAME or env:NAME: %w", field, err)
	}
	return nil
}

// maskedValue is the error of a value that was shown masked and came back.
func maskedValue(field string) error {
	return events.Errorf(events.CodeInvalidArgument, "%s has %s, which stands for what is not shown; give the value itself, or a reference to a secret", field, masked)
}
