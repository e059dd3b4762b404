package catalog

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// CheckDimensions checks the length that a request asks for; 0 is the model's own. pinned is that of the model's own vectors as it is
// known from answers; 0 is none. Errors are of code invalid_argument for a longer one, and unsupported for a shorter one to which the
// model's vectors cannot be cut.
func (m *Model) CheckDimensions(wanted, pinned int) error {
	own := cmp.Or(m.Dimensions, pinned)
	switch {
	case wanted == 0 || wanted == own:
		return nil
	case wanted < 0:
		return events.Errorf(events.CodeInvalidArgument, "dimensions is %d; it must be positive, or absent", wanted)
	case own > 0 && wanted > own:
		return events.Errorf(events.CodeInvalidArgument, "dimensions is %d; the vectors of %s have %d", wanted, m.Name, own)
	case !m.Matryoshka && m.Dimensions == 0: // nobody here knows the model: its server says whether it can, and the answer is checked
		return nil
	case !m.Matryoshka:
		return events.Errorf(events.CodeUnsupported, "dimensions is %d; the vectors of %s cannot be cut%s (an operator who knows that they can says matryoshka: true)",
			wanted, m.Name, length(own))
	case len(m.Sizes) > 0 && !slices.Contains(m.Sizes, wanted):
		return events.Errorf(events.CodeUnsupported, "dimensions is %d; the vectors of %s can have %s", wanted, m.Name, joined(m.Sizes))
	default:
		return nil
	}
}

// length says how long vectors are, if it is known.
func length(own int) string {
	if own == 0 {
		return ""
	}
	return ": they have " + strconv.Itoa(own)
}

// joined lists numbers.
func joined(numbers []int) string {
	texts := make([]string, len(numbers))
	for i, n := range numbers {
		texts[i] = strconv.Itoa(n)
	}
	return strings.Join(texts, ", ")
}
