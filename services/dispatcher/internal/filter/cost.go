package filter

import (
	"strings"

	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/overloads"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
)

const (
	// maxCost is how many steps an evaluation may take, a step being some 100 ns at the most on a machine of today.
	maxCost = 20_000
	// bytesAStep is how many bytes of a text one step looks at or copies.
	bytesAStep = 64
	// zoneCost is what a time zone costs, which is read from a file.
	zoneCost = 1000
)

// prices says what each call costs. The prices of the library itself count how many runes a text has to know what a
// comparison costs, take the comparison of two documents for one step, and ask nothing for measuring a text.
type prices struct{ one uint64 }

func newPrices() *prices { return &prices{one: 1} }

// CallCost implements [interpreter.ActualCostEstimator].
func (p *prices) CallCost(function, _ string, args []ref.Val, _ ref.Val) *uint64 {
	var extra uint64
	switch function {
	case operators.LogicalAnd, operators.LogicalOr, operators.LogicalNot, operators.Conditional, operators.NotStrictlyFalse, operators.Index,
		overloads.StartsWith, overloads.EndsWith:
	case operators.Equals, operators.NotEquals:
		extra = min(weight(args[0], maxCost), weight(args[1], maxCost)) - 1
	case operators.In:
		extra = containmentCost(args[0], args[1])
	case overloads.Matches:
		extra = textBytes(args[0])
	default:
		for _, arg := range args {
			extra += textBytes(arg) / bytesAStep
		}
		if len(args) == 2 && strings.HasPrefix(function, "get") {
			extra = zoneCost
		}
	}
	if extra == 0 {
		return &p.one // only read, and nearly always this
	}
	extra++
	return &extra
}

// containmentCost is what it costs to look for a value in a list or a map.
func containmentCost(value, in ref.Val) uint64 {
	list, ok := in.(traits.Lister)
	if !ok {
		return 0
	}
	switch value.(type) {
	case traits.Lister, traits.Mapper:
		return weight(in, maxCost)
	}
	if n, ok := list.Size().(types.Int); ok && n > 0 {
		return uint64(n)
	}
	return 0
}

// textBytes is the length of a text; 0 for everything else.
func textBytes(v ref.Val) uint64 {
	switch v := v.(type) {
	case types.String:
		return uint64(len(v))
	case types.Bytes:
		return uint64(len(v))
	default:
		return 0
	}
}

// weight is how many steps it takes to look at all of v, at least 1; it stops counting above most.
func weight(v ref.Val, most uint64) uint64 {
	total := 1 + textBytes(v)/bytesAStep
	var parts traits.Iterator
	mapper, isMap := v.(traits.Mapper)
	if lister, ok := v.(traits.Lister); ok {
		parts = lister.Iterator()
	} else if isMap {
		parts = mapper.Iterator()
	} else {
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
