package filter

import (
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
	"cel.dev/cel-go/interpreter"
)

// The calls that take as many steps as their arguments are large.

// comparison is a == b and a != b.
type comparison struct {
	interpreter.InterpretableCall
	left, right interpreter.InterpretableV2
	equal       bool
}

// Exec implements [interpreter.InterpretableV2].
func (c *comparison) Exec(frame *interpreter.ExecutionFrame) ref.Val {
	left := c.left.Exec(frame)
	if types.IsUnknownOrError(left) {
		return left
	}
	right := c.right.Exec(frame)
	if types.IsUnknownOrError(right) {
		return right
	}
	meter := meterOf(frame)
	if members(left) > 0 && members(right) > 0 {
		meter.take(min(weight(left, meter.left), weight(right, meter.left)))
	} else {
		meter.take(1)
	}
	same := types.Equal(left, right)
	if verdict, ok := same.(types.Bool); ok {
		return types.Bool(bool(verdict) == c.equal)
	}
	return same
}

// Eval implements [interpreter.Interpretable].
func (c *comparison) Eval(vars interpreter.Activation) ref.Val {
	return c.Exec(interpreter.AsFrame(vars))
}

// membership is a in b.
type membership struct {
	interpreter.InterpretableCall
	value, in interpreter.InterpretableV2
}

// Exec implements [interpreter.InterpretableV2].
func (m *membership) Exec(frame *interpreter.ExecutionFrame) ref.Val {
	value := m.value.Exec(frame)
	if types.IsUnknownOrError(value) {
		return value
	}
	in := m.in.Exec(frame)
	container, ok := in.(traits.Container)
	if !ok {
		return types.ValOrErr(in, "no such overload")
	}
	meter := meterOf(frame)
	switch _, isList := in.(traits.Lister); {
	case !isList:
		meter.take(1)
	case members(value) > 0:
		meter.take(weight(in, meter.left))
	default:
		meter.take(1 + members(in))
	}
	return container.Contains(value)
}

// Eval implements [interpreter.Interpretable].
func (m *membership) Eval(vars interpreter.Activation) ref.Val {
	return m.Exec(interpreter.AsFrame(vars))
}

// members is how many members a list or a map has; 0 for everything else.
func members(v ref.Val) int {
	switch v.(type) {
	case traits.Lister, traits.Mapper:
	default:
		return 0
	}
	if sizer, ok := v.(traits.Sizer); ok {
		if n, ok := sizer.Size().(types.Int); ok {
			return int(n)
		}
	}
	return 0
}

// weight is how many steps it takes to look at all of v, at least 1; it stops counting above most.
func weight(v ref.Val, most int) int {
	total := 1 + textSteps(v)
	var parts traits.Iterator
	mapper, isMap := v.(traits.Mapper)
	switch list, isList := v.(traits.Lister); {
	case isMap:
		total += members(v) / membersAStep
		parts = mapper.Iterator()
	case isList:
		parts = list.Iterator()
	default:
		return total
	}
	for total <= most && parts.HasNext() == types.True {
		part := parts.Next()
		total += weight(part, most-total)
		if isMap && total <= most {
			total += weight(mapper.Get(part), most-total)
		}
	}
	return total
}
