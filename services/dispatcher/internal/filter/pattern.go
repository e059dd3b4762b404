package filter

import (
	"regexp"

	"cel.dev/cel-go/common/overloads"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/interpreter"
)

// maxMatched is the longest text that is held against a regular expression, in bytes. The cost of a call is only known
// when it was made, so no single one may cost much.
const maxMatched = 16 << 10

// boundedMatches compiles the pattern of matches once, and matches no text above [maxMatched].
func boundedMatches() *interpreter.RegexOptimization {
	return &interpreter.RegexOptimization{
		Function: overloads.Matches, RegexIndex: 1,
		Factory: func(call interpreter.InterpretableCall, pattern string) (interpreter.InterpretableCall, error) {
			compiled, err := regexp.Compile(pattern)
			if err != nil {
				return nil, err
			}
			return interpreter.NewCall(call.ID(), call.Function(), call.OverloadID(), call.Args(), func(args ...ref.Val) ref.Val {
				text, ok := args[0].(types.String)
				switch {
				case !ok:
					return types.MaybeNoSuchOverloadErr(args[0])
				case len(text) > maxMatched:
					return types.NewErr("a text of %d bytes is too long for matches; at most %d are looked at", len(text), maxMatched)
				default:
					return types.Bool(compiled.MatchString(string(text)))
				}
			}), nil
		},
	}
}
