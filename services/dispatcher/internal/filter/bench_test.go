package filter_test

import (
	"testing"

	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/filter"
)

func BenchmarkMatch(b *testing.B) {
	for name, expression := range map[string]string{
		"attributes": `type == "ci.degraded" && subject.startsWith("neuron7x/")`,
		"data":       `data.total > 100 && data.status == "failed" && data.repo.name.startsWith("ml")`,
		"loop":       `data.jobs.exists(j, j.steps.exists(s, s.ok == false))`,
		"pattern":    `data.status.matches("^f[a-z]+d$")`,
		"missing":    `data.missing == 1`,
	} {
		b.Run(name, func(b *testing.B) {
			f, err := filter.Compile(expression)
			if err != nil {
				b.Fatal(err)
			}
			facts := filter.NewFacts(example())
			b.ReportAllocs()
			for b.Loop() {
				if matched, err := f.Match(facts); matched == (err != nil) {
					b.Fatal(matched, err)
				}
			}
		})
	}
}

func BenchmarkCompile(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := filter.Compile(`data.total > 100 && data.status == "failed" && data.repo.startsWith("neuron7x/")`); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkFacts is what the first filter pays that looks at the data of an event.
func BenchmarkFacts(b *testing.B) {
	f, err := filter.Compile(`data.total > 100`)
	if err != nil {
		b.Fatal(err)
	}
	ev := example()
	b.ReportAllocs()
	for b.Loop() {
		if matched, err := f.Match(filter.NewFacts(ev)); !matched || err != nil {
			b.Fatal(matched, err)
		}
	}
}
