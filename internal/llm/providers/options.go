package providers

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
)

// Options reads the options of a provider one by one, and knows in the end which of them nobody has read.
type Options struct {
	given map[string]string
	known []string
	wrong error
}

// NewOptions reads those that are given.
func NewOptions(given map[string]string) *Options { return &Options{given: given} }

// Text reads an option that is a text.
func (o *Options) Text(name string) string {
	o.known = append(o.known, name)
	return o.given[name]
}

// Yes reads an option that is true or false.
func (o *Options) Yes(name string) bool {
	text := o.Text(name)
	if text == "" {
		return false
	}
	yes, err := strconv.ParseBool(text)
	if err != nil && o.wrong == nil {
		o.wrong = fmt.Errorf("option %s is %q; it must be true or false", name, llm.Bound(text, 40))
	}
	return yes
}

// Whole reads an option that is a positive number.
func (o *Options) Whole(name string) int {
	text := o.Text(name)
	if text == "" {
		return 0
	}
	n, err := strconv.Atoi(text)
	if (err != nil || n < 1) && o.wrong == nil {
		o.wrong = fmt.Errorf("option %s is %q; it must be a whole number above 0", name, llm.Bound(text, 40))
	}
	return n
}

// List reads an option that is a list, with commas between.
func (o *Options) List(name string) []string {
	return strings.FieldsFunc(o.Text(name), func(r rune) bool { return r == ',' || r == ' ' })
}

// Err says which option was wrong, or is none of the protocol's.
func (o *Options) Err() error {
	for _, name := range slices.Sorted(maps.Keys(o.given)) {
		if o.wrong != nil || slices.Contains(o.known, name) {
			continue
		}
		if len(o.known) == 0 {
			return fmt.Errorf("there is no option %q: the protocol has none", llm.Bound(name, 40))
		}
		slices.Sort(o.known)
		return fmt.Errorf("there is no option %q; there are: %s", llm.Bound(name, 40), strings.Join(o.known, ", "))
	}
	return o.wrong
}
