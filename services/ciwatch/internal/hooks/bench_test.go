package hooks_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/fakegithub"
)

// realistic is a webhook of the size that GitHub's have.
func realistic() string {
	return strings.TrimSuffix(run, "}") + `,"organization":{"description":"` + strings.Repeat("x", 20<<10) + `"}}`
}

// BenchmarkAnswer is what a request costs, whoever sends it included: one that is stored, by a store that costs nothing, and ones that are refused.
func BenchmarkAnswer(b *testing.B) {
	body := realistic()
	for name, header := range map[string]http.Header{
		"accepted": signed("workflow_run", "d-1", body),
		"forged":   fakegithub.Sign("workflow_run", "d-1", "a guess", []byte(body)),
		"unsigned": {"Content-Type": {"application/json"}},
	} {
		b.Run(name, func(b *testing.B) {
			s := open(b, nil)
			b.ReportAllocs()
			for b.Loop() {
				s.post(b, header, body)
			}
		})
	}
}
