package filter

import (
	"fmt"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/overloads"
	"cel.dev/cel-go/common/types"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Bounds of an expression.
const (
	maxNesting      = 64   // of parentheses, lists, calls, and of a + b + c
	maxNodes        = 2000 // after the macros were written out
	maxLoops        = 3    // all, exists, map, filter within one another
	maxPattern      = 250  // instructions of a compiled regular expression
	maxSyntaxErrors = 3    // a parser that goes on after an error soon talks nonsense
)

// maxShown is how many mistakes one error tells of.
const maxShown = 3

// variables says what an expression may name, for people.
const variables = "type, source, subject, id, time and data"

// Compile compiles an expression of at most [events.MaxEndpointFilter] bytes that is true or false. Errors are an
// [events.Error] of code invalid_argument, with the line and column of each mistake.
func Compile(expression string) (*Filter, error) {
	if len(expression) > events.MaxEndpointFilter {
		return nil, events.Errorf(events.CodeInvalidArgument, "the filter has %d bytes; at most %d are allowed", len(expression), events.MaxEndpointFilter)
	}
	env, err := environment()
	if err != nil {
		return nil, fmt.Errorf("the environment of filters: %w", err)
	}
	// Issues.Err, and Compile with it, would write all mistakes out, of which there may be thousands.
	parsed, issues := env.Parse(expression)
	if len(issues.Errors()) > 0 {
		return nil, explain(issues)
	}
	checked, issues := env.Check(parsed)
	if len(issues.Errors()) > 0 {
		return nil, explain(issues)
	}
	if got := checked.OutputType(); !got.IsExactType(cel.BoolType) {
		return nil, notBool(got)
	}
	if err := checkPatterns(checked); err != nil {
		return nil, err
	}
	program, err := env.Program(checked, cel.CustomDecoratorV2(meter))
	if err != nil {
		return nil, events.Errorf(events.CodeInvalidArgument, "the filter cannot be compiled: %w", err)
	}
	return &Filter{program: program}, nil
}

// environment returns what an expression is compiled in. It is cheap: the standard library behind it is shared.
func environment() (*cel.Env, error) {
	return cel.NewEnv(
		cel.Variable("type", cel.StringType),
		cel.Variable("source", cel.StringType),
		cel.Variable("subject", cel.StringType),
		cel.Variable("id", cel.StringType),
		cel.Variable("time", cel.TimestampType),
		cel.Variable("data", cel.DynType),
		cel.CrossTypeNumericComparisons(true),
		cel.ParserExpressionSizeLimit(events.MaxEndpointFilter),
		cel.ParserRecursionLimit(maxNesting),
		cel.ParserErrorRecoveryLimit(maxSyntaxErrors),
		cel.ExpressionNodeLimit(maxNodes),
		cel.ASTValidators(
			cel.ValidateComprehensionNestingLimit(maxLoops), cel.ValidateTimestampLiterals(), cel.ValidateDurationLiterals(),
		),
	)
}

// notBool refuses an expression that is something else than true or false.
func notBool(got *cel.Type) error {
	if got.IsExactType(cel.DynType) {
		return events.Errorf(events.CodeInvalidArgument, "the filter may come to anything; compare it with something, such as data.active == true")
	}
	return events.Errorf(events.CodeInvalidArgument, "the filter comes to a %s; it must come to true or false", got)
}

// checkPatterns refuses regular expressions that are none, that are too large, and that come out of the event: who publishes
// it is not who set the filter.
func checkPatterns(checked *cel.Ast) error {
	calls := ast.MatchDescendants(ast.NavigateAST(checked.NativeRep()), ast.FunctionMatcher(overloads.Matches))
	for _, call := range calls {
		args := call.AsCall().Args()
		if reason := wrongPattern(args[len(args)-1]); reason != "" {
			at := checked.NativeRep().SourceInfo().GetStartLocation(call.ID())
			return events.Errorf(events.CodeInvalidArgument, "the filter is wrong: line %d, column %d: %s", at.Line(), at.Column()+1, reason)
		}
	}
	return nil
}

// wrongPattern says what is wrong with the pattern of a call of matches; nothing is "".
func wrongPattern(arg ast.Expr) string {
	if arg.Kind() != ast.LiteralKind {
		return "matches takes a pattern that is written there, in quotes"
	}
	text, ok := arg.AsLiteral().(types.String)
	if !ok {
		return "matches takes a pattern in quotes"
	}
	size, err := instructions(string(text))
	switch {
	case err != nil:
		return "the pattern is no regular expression of RE2: " + err.Error()
	case size > maxPattern:
		return fmt.Sprintf("the pattern comes to %d instructions; at most %d are allowed", size, maxPattern)
	default:
		return ""
	}
}

// explain words what the compiler found.
func explain(issues *cel.Issues) error {
	var b strings.Builder
	for i, mistake := range issues.Errors() {
		if i == maxShown {
			b.WriteString("; and more")
			break
		}
		if i > 0 {
			b.WriteString("; ")
		}
		message := strings.ReplaceAll(mistake.Message, " (in container '')", "")
		message, _, _ = strings.Cut(message, " expecting {") // all that CEL knows
		message = strings.ReplaceAll(message, "'<EOF>'", "the end")
		at := mistake.Location
		if at.Line() > 0 {
			fmt.Fprintf(&b, "line %d, column %d: ", at.Line(), max(at.Column(), 0)+1)
		}
		fmt.Fprintf(&b, "%.200s", message)
		if strings.HasPrefix(message, "undeclared reference") {
			b.WriteString(", known are " + variables + " and the functions of CEL")
		}
	}
	return events.Errorf(events.CodeInvalidArgument, "the filter is wrong: %s", b.String())
}
