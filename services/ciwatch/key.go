package ciwatch

import (
	"fmt"
	"strconv"
	"strings"

	forge "github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/oldforge"
)

// stateKey is the KV key of the workflow and branch of a run: <owner>.<name>.<workflow id>.<branch>. GitHub does not tell
// repositories by upper and lower case, so neither does the key.
func stateKey(repository string, run forge.Run) string {
	owner, name, _ := strings.Cut(strings.ToLower(repository), "/")
	return escape(owner) + "." + escape(name) + "." + strconv.FormatInt(run.WorkflowID, 10) + "." + escape(run.Branch)
}

// escape makes s one token of a KV key: what is not a letter, a digit, - or _ becomes = and two hexadecimal digits.
func escape(s string) string {
	var b strings.Builder
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_':
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "=%02X", c)
		}
	}
	return b.String()
}
