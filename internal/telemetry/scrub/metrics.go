package scrub

import (
	"slices"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// Metrics returns a gatherer of what next gathers, without what must not be in the values of labels, those of exemplars too.
func Metrics(s *Scrubber, next prometheus.Gatherer) prometheus.Gatherer {
	return prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) {
		families, err := next.Gather()
		for _, family := range families {
			for _, m := range family.GetMetric() {
				m.Label = s.labels(m.GetLabel())
				if m.GetCounter() != nil {
					m.Counter.Exemplar = s.exemplar(m.GetCounter().GetExemplar())
				}
				for _, b := range m.GetHistogram().GetBucket() {
					b.Exemplar = s.exemplar(b.GetExemplar())
				}
				for i, e := range m.GetHistogram().GetExemplars() {
					m.Histogram.Exemplars[i] = s.exemplar(e)
				}
			}
		}
		return families, err
	})
}

// labels returns pairs themselves if there is nothing in them: they belong to the metric, which goes on using them.
func (s *Scrubber) labels(pairs []*dto.LabelPair) []*dto.LabelPair {
	out := pairs
	for i, pair := range pairs {
		clean := s.Text(pair.GetValue())
		if clean == pair.GetValue() {
			continue
		}
		if &out[0] == &pairs[0] {
			out = slices.Clone(pairs)
		}
		out[i] = &dto.LabelPair{Name: pair.Name, Value: &clean}
	}
	return out
}

func (s *Scrubber) exemplar(e *dto.Exemplar) *dto.Exemplar {
	if e == nil {
		return nil
	}
	return &dto.Exemplar{Label: s.labels(e.GetLabel()), Value: e.Value, Timestamp: e.GetTimestamp()}
}
