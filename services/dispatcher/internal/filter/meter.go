package filter

import (
	"strings"

	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/overloads"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
	"cel.dev/cel-go/interpreter"
)

// An evaluation has a number of steps, and everything that it does takes some. CEL can count itself, but what it counts
// takes as long again as the evaluation, grows with the square of it in loops, and has holes: two documents compare in one
// step, and a text is measured in one. So the plan of each expression is metered here, when it is compiled.
const (
	// maxSteps is how many steps an evaluation may take, a step being some 100 ns of a machine of today.
	maxSteps = 100_000
	// bytesAStep is how many bytes of a text one step looks at or copies.
	bytesAStep = 256
	// bytesMadeAStep is how many bytes of a text one step makes: less, because they take memory too, and many events are
	// evaluated at a time.
	bytesMadeAStep = 16
	// membersAStep is how many members of a map one step lists.
	membersAStep = 8
	// zoneSteps is what a time zone takes, which is read from a file.
	zoneSteps = 1000
	// maxZone is the longest name of a time zone, in bytes: what is longer is looked for, too, in every place where one may be.
	maxZone = 64
)

// metered is a node of the plan that takes steps before it does what it did.
type metered struct {
	interpreter.InterpretableCall
	steps int
}

// Exec implements [interpreter.InterpretableV2].
func (m *metered) Exec(frame *interpreter.ExecutionFrame) ref.Val {
	meter := meterOf(frame)
	meter.take(m.steps)
	value := m.InterpretableCall.Exec(frame)
	meter.take(madeSteps(value))
	return value
}

// Eval implements [interpreter.Interpretable].
func (m *metered) Eval(vars interpreter.Activation) ref.Val {
	return m.Exec(interpreter.AsFrame(vars))
}

// zoned is a call with a time zone.
type zoned struct {
	metered

	zone interpreter.InterpretableV2
}

// Exec implements [interpreter.InterpretableV2].
func (z *zoned) Exec(frame *interpreter.ExecutionFrame) ref.Val {
	if name, ok := z.zone.Exec(frame).(types.String); ok && len(name) > maxZone {
		meterOf(frame).take(z.steps)
		return types.NewErr("a time zone's name of %d bytes; it has at most %d", len(name), maxZone)
	}
	return z.metered.Exec(frame)
}

// Eval implements [interpreter.Interpretable].
func (z *zoned) Eval(vars interpreter.Activation) ref.Val {
	return z.Exec(interpreter.AsFrame(vars))
}

// meteredList is a list or a map that the expression makes.
type meteredList struct {
	interpreter.InterpretableConstructor
	steps int
}

// Exec implements [interpreter.InterpretableV2].
func (m *meteredList) Exec(frame *interpreter.ExecutionFrame) ref.Val {
	meterOf(frame).take(m.steps)
	return m.InterpretableConstructor.Exec(frame)
}

// Eval implements [interpreter.Interpretable].
func (m *meteredList) Eval(vars interpreter.Activation) ref.Val {
	return m.Exec(interpreter.AsFrame(vars))
}

// meteredAttribute is a variable, or a field of one. Whoever asks for it may look at all of it.
type meteredAttribute struct {
	interpreter.InterpretableAttribute
}

// AddQualifier implements [interpreter.InterpretableAttribute]; the planner adds one for each field.
func (m *meteredAttribute) AddQualifier(q interpreter.Qualifier) (interpreter.Attribute, error) {
	_, err := m.InterpretableAttribute.AddQualifier(q)
	return m, err
}

// Exec implements [interpreter.InterpretableV2].
func (m *meteredAttribute) Exec(frame *interpreter.ExecutionFrame) ref.Val {
	value := m.InterpretableAttribute.Exec(frame)
	steps := 1 + textSteps(value)
	if _, isMap := value.(traits.Mapper); isMap { // whoever loops over it makes a list of its keys first
		steps += members(value) / membersAStep
	}
	meterOf(frame).take(steps)
	return value
}

// Qualify implements [interpreter.Qualifier] for an attribute that is the index of another one.
func (m *meteredAttribute) Qualify(vars interpreter.Activation, obj any) (any, error) {
	m.asIndex(vars)
	return m.InterpretableAttribute.Qualify(vars, obj)
}

// QualifyIfPresent implements [interpreter.Qualifier], too.
func (m *meteredAttribute) QualifyIfPresent(vars interpreter.Activation, obj any, presenceOnly bool) (any, bool, error) {
	m.asIndex(vars)
	return m.InterpretableAttribute.QualifyIfPresent(vars, obj, presenceOnly)
}

// asIndex takes the steps of an index: all of a key is looked at.
func (m *meteredAttribute) asIndex(vars interpreter.Activation) {
	meter := meterOf(vars)
	meter.take(1)
	if value, err := m.Resolve(vars); err == nil {
		meter.take(textSteps(m.Adapter().NativeToValue(value)))
	}
}

// Eval implements [interpreter.Interpretable].
func (m *meteredAttribute) Eval(vars interpreter.Activation) ref.Val {
	return m.Exec(interpreter.AsFrame(vars))
}

// meter decorates each node of a plan.
func meter(node interpreter.InterpretableV2) (interpreter.InterpretableV2, error) {
	switch n := node.(type) {
	case *metered, *zoned, *meteredList, *meteredAttribute, *comparison, *membership, *matching:
		return node, nil
	case interpreter.InterpretableAttribute:
		return &meteredAttribute{n}, nil
	case interpreter.InterpretableConstructor:
		return &meteredList{n, 1 + len(n.InitVals())}, nil
	case interpreter.InterpretableCall:
		return meterCall(n)
	default:
		return node, nil
	}
}

// meterCall decorates a call.
func meterCall(call interpreter.InterpretableCall) (interpreter.InterpretableV2, error) {
	args := call.Args()
	switch name := call.Function(); {
	case name == operators.Equals, name == operators.NotEquals:
		return &comparison{call, args[0], args[1], name == operators.Equals}, nil
	case name == operators.In && len(args) == 2:
		return &membership{call, args[0], args[1]}, nil
	case name == overloads.Matches:
		return newMatching(call, args)
	case len(args) == 2 && strings.HasPrefix(name, "get"): // time.getHours("Europe/Kyiv")
		return &zoned{metered{call, zoneSteps}, args[1]}, nil
	}
	steps := 1
	for _, arg := range args {
		if constant, ok := arg.(interpreter.InterpretableConst); ok {
			steps += textSteps(constant.Value())
		}
	}
	return &metered{call, steps}, nil
}

// madeSteps is how many steps it takes to make a text, be it that of an error, which may quote what it is about; 0 for
// everything else.
func madeSteps(v ref.Val) int {
	switch v := v.(type) {
	case *types.Err:
		return len(v.Error()) / bytesMadeAStep
	case types.String:
		return len(v) / bytesMadeAStep
	case types.Bytes:
		return len(v) / bytesMadeAStep
	default:
		return 0
	}
}

// textSteps is how many steps it takes to look at a text; 0 for everything else.
func textSteps(v ref.Val) int {
	switch v := v.(type) {
	case types.String:
		return len(v) / bytesAStep
	case types.Bytes:
		return len(v) / bytesAStep
	default:
		return 0
	}
}
