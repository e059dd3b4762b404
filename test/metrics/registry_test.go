package metrics_test

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/require"
)

// metric is what is known of a metric, whether it has series or not.
type metric struct {
	name, help, kind string
	labels, services []string
}

// registry is a registry that remembers what is registered: a metric without series is not told of by a scrape.
type registry struct {
	*prometheus.Registry

	service string

	mu         sync.Mutex
	collectors []prometheus.Collector
}

func newRegistry(service string) *registry {
	return &registry{Registry: prometheus.NewRegistry(), service: service}
}

// Register implements [prometheus.Registerer].
func (r *registry) Register(c prometheus.Collector) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.collectors = append(r.collectors, c)
	return r.Registry.Register(c)
}

// MustRegister implements [prometheus.Registerer].
func (r *registry) MustRegister(all ...prometheus.Collector) {
	for _, c := range all {
		if err := r.Register(c); err != nil {
			panic(err)
		}
	}
}

// metrics returns all that is registered and is ours.
func (r *registry) metrics(t *testing.T) (all []metric) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.collectors {
		kinds := kindsOf(t, c)
		descs := make(chan *prometheus.Desc, 100)
		c.Describe(descs)
		close(descs)
		for desc := range descs {
			m := parse(t, desc)
			if !ours(m.name) {
				continue
			}
			m.kind, m.services = kinds(desc, m.name), []string{r.service}
			all = append(all, m)
		}
	}
	return all
}

// ours reports whether a metric is one that we have to explain; those of Go and of processes are explained elsewhere.
func ours(name string) bool {
	return strings.HasPrefix(name, "mlsdm_") || strings.HasPrefix(name, "gen_ai_")
}

// kindsOf returns what says of which type the metrics of a collector are.
func kindsOf(t *testing.T, c prometheus.Collector) func(*prometheus.Desc, string) string {
	t.Helper()
	switch c.(type) {
	case *prometheus.CounterVec:
		return func(*prometheus.Desc, string) string { return "counter" }
	case *prometheus.GaugeVec:
		return func(*prometheus.Desc, string) string { return "gauge" }
	case *prometheus.HistogramVec:
		return func(*prometheus.Desc, string) string { return "histogram" }
	}
	seen := make(chan prometheus.Metric, 10_000)
	c.Collect(seen)
	close(seen)
	kinds := make(map[string]string)
	for m := range seen {
		var out dto.Metric
		require.NoError(t, m.Write(&out))
		kind := "counter"
		switch {
		case out.GetGauge() != nil:
			kind = "gauge"
		case out.GetHistogram() != nil:
			kind = "histogram"
		case out.GetSummary() != nil:
			kind = "summary"
		}
		kinds[m.Desc().String()] = kind
	}
	return func(d *prometheus.Desc, name string) string {
		if kind, known := kinds[d.String()]; known {
			return kind
		}
		if strings.HasSuffix(name, "_total") {
			return "counter"
		}
		return "gauge"
	}
}

// description is the form of a [prometheus.Desc], which tells what it holds in no other way.
var description = regexp.MustCompile(
	`^Desc\{fqName: ("(?:[^"\\]|\\.)*"), help: ("(?:[^"\\]|\\.)*"), (?:unit: "[^"]*", )?constLabels: \{(.*)\}, variableLabels: \{(.*)\}\}$`)

// parse reads a description.
func parse(t *testing.T, d *prometheus.Desc) (m metric) {
	t.Helper()
	parts := description.FindStringSubmatch(d.String())
	require.NotNil(t, parts, "%s", d)
	var err error
	m.name, err = strconv.Unquote(parts[1])
	require.NoError(t, err)
	m.help, err = strconv.Unquote(parts[2])
	require.NoError(t, err)
	for constant := range strings.SplitSeq(parts[3], ",") {
		if name, _, ok := strings.Cut(constant, "="); ok {
			m.labels = append(m.labels, name)
		}
	}
	if parts[4] != "" {
		m.labels = append(m.labels, strings.Split(parts[4], ",")...)
	}
	slices.Sort(m.labels)
	return m
}
