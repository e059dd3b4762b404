package bus

import (
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	// maxSubjects is how many subjects get a label of their own; the catalogue has fewer.
	maxSubjects = 100
	// otherSubject is the label of those that come after, and of what is outside of the prefix.
	otherSubject = "other"
)

// published counts what is published to JetStream.
type publications struct {
	prefix string // of our subjects, with the dot
	total  *prometheus.CounterVec

	mu       sync.RWMutex
	subjects map[string]*publishedOn // by label, so that nothing is looked up by its labels for each message
}

// publishedOn are the counters of one label.
type publishedOn struct{ stored, duplicate, failed prometheus.Counter }

func newPublications(prefix string) *publications {
	return &publications{
		prefix: prefix + ".", subjects: make(map[string]*publishedOn),
		total: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "mlsdm_bus_published_total",
			Help: "Messages published to JetStream, by result (stored, duplicate, failed) and subject: of events their type, of others the first token.",
		}, []string{"subject", "result"}),
	}
}

// on returns the counters of a subject.
func (p *publications) on(subject string) *publishedOn {
	label := p.label(subject)
	p.mu.RLock()
	known := p.subjects[label]
	p.mu.RUnlock()
	if known != nil {
		return known
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.subjects) >= maxSubjects {
		label = otherSubject
	}
	if known = p.subjects[label]; known == nil {
		label = strings.ToValidUTF8(strings.Clone(label), "?") // a subject may be any bytes, and lives no longer than its message
		known = &publishedOn{
			stored: p.total.WithLabelValues(label, "stored"), duplicate: p.total.WithLabelValues(label, "duplicate"), failed: p.total.WithLabelValues(label, "failed"),
		}
		p.subjects[label] = known
	}
	return known
}

// label returns what stands for a subject: "events.ci.degraded", "events.custom", "deliveries".
func (p *publications) label(subject string) string {
	rest, ours := strings.CutPrefix(subject, p.prefix)
	if !ours {
		return otherSubject
	}
	first, below, _ := strings.Cut(rest, ".")
	if first != "events" {
		return first
	}
	if strings.HasPrefix(below, "custom.") {
		return "events.custom"
	}
	return rest
}
