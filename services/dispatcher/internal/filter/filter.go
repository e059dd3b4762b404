// Package filter decides by an expression whether an endpoint wants an event.
//
// Expressions are CEL (https://cel.dev) over the attributes of the event: type, source, subject and id are strings, time is
// a timestamp, and data is the payload: what the JSON says, a string when it is text, bytes when it is neither, and null
// when there is none. An attribute that the event does not have is an empty string. All numbers of JSON are doubles, and
// compare with whole numbers too: data.total > 100 and data.total > 100.5 both do what they say.
//
//	data.total > 100 && data.status in ["failed", "degraded"]
//	type == "ci.degraded" && subject.startsWith("neuron7x/")
//	has(data.labels) && data.labels.exists(l, l == "urgent")
//
// What an expression may take is bounded: its length and nesting when it is compiled, its steps when it is evaluated.
package filter

import (
	"errors"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/interpreter"
)

var (
	// ErrTooManySteps is the error of an evaluation that was given up.
	ErrTooManySteps = errors.New("the filter takes too many steps on this event")
	// errNotBool is what an expression comes to that compiled as true or false and turned out to be neither.
	errNotBool = errors.New("the filter is neither true nor false")
)

// Filter is a compiled expression. It is immutable and safe for concurrent use.
type Filter struct {
	program cel.Program
}

// Match reports whether the expression is true. One that cannot be evaluated, because a field is missing, is of another
// type than the expression needs, or the evaluation takes too many steps ([ErrTooManySteps]), is not true; the error says
// why, and [Facts.Unevaluated] counts it.
func (f *Filter) Match(facts *Facts) (bool, error) {
	verdict, err := f.evaluate(facts)
	if err != nil {
		facts.unevaluated.Add(1)
	}
	return verdict, err
}

func (f *Filter) evaluate(facts *Facts) (bool, error) {
	value, _, err := f.program.Eval(&evaluation{facts: facts, left: maxSteps})
	if err != nil {
		if errors.As(err, &interpreter.EvalCancelledError{}) {
			return false, ErrTooManySteps
		}
		return false, err
	}
	verdict, ok := value.(types.Bool)
	if !ok {
		return false, errNotBool
	}
	return bool(verdict), nil
}
