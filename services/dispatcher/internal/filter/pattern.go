package filter

import (
	"errors"
	"regexp"
	"regexp/syntax"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/interpreter"
)

const (
	// maxMatched is the longest text that is held against a regular expression, in bytes.
	maxMatched = 16 << 10
	// instructionsAStep is how many instructions of a pattern one step tries on one byte.
	instructionsAStep = 32
)

// errPattern is a plan that [checkPatterns] lets nobody make.
var errPattern = errors.New("matches takes a pattern in quotes")

// matching is text.matches("pattern"), with the pattern compiled once.
type matching struct {
	interpreter.InterpretableCall
	text      interpreter.InterpretableV2
	pattern   *regexp.Regexp
	stepsByte int // on one byte of the text
}

func newMatching(call interpreter.InterpretableCall, args []interpreter.InterpretableV2) (interpreter.InterpretableV2, error) {
	constant, ok := args[len(args)-1].(interpreter.InterpretableConst)
	if !ok {
		return nil, errPattern
	}
	text, ok := constant.Value().(types.String)
	if !ok {
		return nil, errPattern
	}
	pattern, err := regexp.Compile(string(text))
	if err != nil {
		return nil, err
	}
	size, err := instructions(string(text))
	if err != nil {
		return nil, err
	}
	return &matching{call, args[0], pattern, 1 + size/instructionsAStep}, nil
}

// Exec implements [interpreter.InterpretableV2].
func (m *matching) Exec(frame *interpreter.ExecutionFrame) ref.Val {
	value := m.text.Exec(frame)
	text, ok := value.(types.String)
	switch {
	case !ok:
		return types.ValOrErr(value, "no such overload")
	case len(text) > maxMatched:
		return types.NewErr("a text of %d bytes is too long for matches, which looks at %d at most", len(text), maxMatched)
	}
	meterOf(frame).take(1 + len(text)*m.stepsByte)
	return types.Bool(m.pattern.MatchString(string(text)))
}

// Eval implements [interpreter.Interpretable].
func (m *matching) Eval(vars interpreter.Activation) ref.Val {
	return m.Exec(interpreter.AsFrame(vars))
}

// instructions is how large a regular expression gets when it is compiled.
func instructions(pattern string) (int, error) {
	parsed, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return 0, err
	}
	program, err := syntax.Compile(parsed.Simplify())
	if err != nil {
		return 0, err
	}
	return len(program.Inst), nil
}
