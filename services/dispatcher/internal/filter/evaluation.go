package filter

import (
	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/interpreter"
)

// evaluation is one evaluation of one expression: how it asks for its variables, and the steps that it has left.
type evaluation struct {
	facts *Facts
	left  int
}

// self is the name by which the nodes of a plan find their evaluation. No expression can write it.
const self = "@evaluation"

// ResolveName implements [cel.Activation].
func (e *evaluation) ResolveName(name string) (any, bool) {
	switch ev := &e.facts.ev; name {
	case self:
		return e, true
	case "type":
		return types.String(ev.Type), true
	case "source":
		return types.String(ev.Source), true
	case "subject":
		return types.String(ev.Subject), true
	case "id":
		return types.String(ev.ID), true
	case "time":
		return types.Timestamp{Time: ev.Time}, true
	case "data":
		return e.facts.value()
	default:
		return nil, false
	}
}

// Parent implements [cel.Activation].
func (*evaluation) Parent() cel.Activation { return nil }

// take takes steps, and ends the evaluation when there are none left. An error would not: an expression may go on after it.
func (e *evaluation) take(steps int) {
	if e.left -= steps; e.left < 0 {
		panic(interpreter.EvalCancelledError{Cause: interpreter.CostLimitExceeded, Message: ErrTooManySteps.Error()}) // Eval recovers it
	}
}

// meterOf returns the evaluation that a node is part of.
func meterOf(vars interpreter.Activation) *evaluation {
	found, _ := vars.ResolveName(self)
	e, ok := found.(*evaluation)
	if !ok {
		panic("filter: a plan is evaluated without its evaluation") // Eval recovers it
	}
	return e
}
