package observability_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/tsdb/chunks"
	"github.com/prometheus/prometheus/util/annotations"
	"github.com/stretchr/testify/require"
)

// Series of an hour and some, a value a minute, in the notation of promtool.
type hour []string

// alarming is an alert with an hour after which it is to be raised, and hours after which it is not.
type alarming struct {
	raised hour
	quiet  []hour
}

// alarms are those of all alerts, by name.
func alarms() map[string]alarming {
	return map[string]alarming{
		"ServiceDown":     {hour{`up{job="mlsdm",service="generator"} 0x70`}, []hour{{`up{job="mlsdm",service="generator"} 1x70`, `up{job="node"} 0x70`}}},
		"BusDisconnected": {hour{`mlsdm_bus_connected{service="embedder"} 0x70`}, []hour{{`mlsdm_bus_connected{service="embedder"} 1x70`}}},
		"BusFlapping":     {hour{`mlsdm_bus_reconnects_total 0+1x70`}, []hour{{`mlsdm_bus_reconnects_total 9x70`}, {`mlsdm_bus_reconnects_total 0x40 1 2 3 4x30`}}},
		"RequestsFail": {
			hour{`mlsdm_bus_requests_total{operation="generate",code="ok"} 0+90x70`, `mlsdm_bus_requests_total{operation="generate",code="unavailable"} 0+10x70`},
			[]hour{
				{`mlsdm_bus_requests_total{operation="generate",code="ok"} 0+50x70`, `mlsdm_bus_requests_total{operation="generate",code="invalid_argument"} 0+50x70`},
				{`mlsdm_bus_requests_total{operation="generate",code="ok"} 0+97x70`, `mlsdm_bus_requests_total{operation="generate",code="internal"} 0+3x70`},
				{`mlsdm_bus_requests_total{operation="generate",code="unavailable"} 0+1x70`}, // one a minute is not worth a night
			},
		},
		"ConsumerStalled": {
			hour{`mlsdm_bus_consumer_pending{stream="S",consumer="c"} 5x70`, `mlsdm_bus_consumer_oldest_seconds{stream="S",consumer="c"} 400x70`, `mlsdm_bus_messages_total{stream="S",consumer="c",result="ack"} 7x70`},
			[]hour{
				{`mlsdm_bus_consumer_pending{stream="S",consumer="c"} 5x70`, `mlsdm_bus_consumer_oldest_seconds{stream="S",consumer="c"} 400x70`, `mlsdm_bus_messages_total{stream="S",consumer="c",result="ack"} 0+1x70`},
				{`mlsdm_bus_consumer_pending{stream="S",consumer="c"} 0x70`, `mlsdm_bus_consumer_oldest_seconds{stream="S",consumer="c"} 0x70`, `mlsdm_bus_messages_total{stream="S",consumer="c",result="ack"} 7x70`},
			},
		},
		"ConsumerBehind": {hour{`mlsdm_bus_consumer_oldest_seconds{stream="S",consumer="c"} 1000x70`}, []hour{{`mlsdm_bus_consumer_oldest_seconds{stream="S",consumer="c"} 800x70`}}},
		"DeadLetters":    {hour{`mlsdm_bus_dead_letters_total{stream="S"} 0x40 1x30`}, []hour{{`mlsdm_bus_dead_letters_total{stream="S"} 3x70`}}},
		"MessagesRedelivered": {
			hour{`mlsdm_bus_redelivered_total{stream="S",consumer="c"} 0+30x70`, `mlsdm_bus_messages_total{stream="S",consumer="c"} 0+100x70`},
			[]hour{
				{`mlsdm_bus_redelivered_total{stream="S",consumer="c"} 0+10x70`, `mlsdm_bus_messages_total{stream="S",consumer="c"} 0+100x70`},
				{`mlsdm_bus_redelivered_total{stream="S",consumer="dispatcher-retries"} 0+90x70`, `mlsdm_bus_messages_total{stream="S",consumer="dispatcher-retries"} 0+100x70`},
			},
		},
		"PublishingFails": {
			hour{`mlsdm_bus_published_total{service="s",subject="x",result="failed"} 0+1x70`},
			[]hour{{`mlsdm_bus_published_total{service="s",subject="x",result="failed"} 5x70`, `mlsdm_bus_published_total{service="s",subject="x",result="stored"} 0+1x70`}},
		},
		"TelemetryDropped": {hour{`mlsdm_telemetry_dropped_total{service="s",signal="traces"} 0+1x70`}, []hour{{`mlsdm_telemetry_dropped_total{service="s",signal="traces"} 9x70`}}},
		"MemoryCritical":   {hour{`mlsdm_memory_level{service="s"} 2x70`}, []hour{{`mlsdm_memory_level{service="s"} 1x70`}}},
		"EndpointFailing": {
			hour{`mlsdm_webhook_attempts_total{endpoint="a",outcome="retry"} 0+8x70`, `mlsdm_webhook_attempts_total{endpoint="a",outcome="delivered"} 0+2x70`},
			[]hour{{`mlsdm_webhook_attempts_total{endpoint="a",outcome="retry"} 0+2x70`, `mlsdm_webhook_attempts_total{endpoint="a",outcome="delivered"} 0+8x70`}},
		},
		"DeliveriesGivenUp": {hour{`mlsdm_webhook_attempts_total{endpoint="a",outcome="dead"} 0x40 1x30`}, []hour{{`mlsdm_webhook_attempts_total{endpoint="a",outcome="dead"} 4x70`, `mlsdm_webhook_attempts_total{endpoint="a",outcome="retry"} 0+4x70`}}},
		"DeliveriesSlow": {
			hour{`mlsdm_webhook_delivery_seconds_bucket{le="60"} 0+1x70`, `mlsdm_webhook_delivery_seconds_bucket{le="120"} 0+100x70`, `mlsdm_webhook_delivery_seconds_bucket{le="+Inf"} 0+100x70`},
			[]hour{{`mlsdm_webhook_delivery_seconds_bucket{le="60"} 0+100x70`, `mlsdm_webhook_delivery_seconds_bucket{le="120"} 0+100x70`, `mlsdm_webhook_delivery_seconds_bucket{le="+Inf"} 0+100x70`}},
		},
		"AttemptRecordsLost": {hour{`mlsdm_webhook_attempt_records_lost_total 0x40 2x30`}, []hour{{`mlsdm_webhook_attempt_records_lost_total 2x70`}}},
		"ProviderFailing": {
			hour{`mlsdm_attempts_total{provider="p",class="provider"} 0+8x70`, `mlsdm_attempts_total{provider="p",class="ok"} 0+2x70`},
			[]hour{{`mlsdm_attempts_total{provider="p",class="provider"} 0+2x70`, `mlsdm_attempts_total{provider="p",class="ok"} 0+8x70`}},
		},
		"EmbeddingProviderFailing": {
			hour{`mlsdm_embedder_calls_total{provider="p",outcome="failed"} 0+8x70`, `mlsdm_embedder_calls_total{provider="p",outcome="ok"} 0+2x70`},
			[]hour{{`mlsdm_embedder_calls_total{provider="p",outcome="failed"} 0+2x70`, `mlsdm_embedder_calls_total{provider="p",outcome="ok"} 0+8x70`}},
		},
		"RedisDown":          {hour{`mlsdm_cache_redis_up{service="s"} 0x70`}, []hour{{`mlsdm_cache_redis_up{service="s"} 1x70`}}},
		"MoralFilterBlind":   {hour{`mlsdm_moral_unjudged_total{stage="prompt",reason="timeout"} 0+1x70`}, []hour{{`mlsdm_moral_unjudged_total{stage="prompt",reason="no_text"} 0+1x70`}}},
		"ReportsLost":        {hour{`mlsdm_reports_lost_total{service="s"} 0x40 1x30`}, []hour{{`mlsdm_reports_lost_total{service="s"} 1x70`}}},
		"SecretStoreFailing": {hour{`mlsdm_secret_store_failing{service="secretd",store="vault"} 1x70`}, []hour{{`mlsdm_secret_store_failing{service="secretd",store="vault"} 0x70`}}},
		"SecretAuditLost": {
			hour{`mlsdm_secret_audit_records_total{service="secretd",outcome="lost"} 0x40 1x30`},
			[]hour{{`mlsdm_secret_audit_records_total{service="secretd",outcome="lost"} 0x70`, `mlsdm_secret_audit_records_total{service="secretd",outcome="stored"} 0+5x70`}},
		},
		"CIDegraded": {hour{`mlsdm_ci_health{repository="r",health="degraded"} 1x70`}, []hour{{`mlsdm_ci_health{repository="r",health="degraded"} 0x70`, `mlsdm_ci_health{repository="r",health="healthy"} 1x70`}}},
		"CIBlind": {
			hour{`mlsdm_ci_polls_total{forge="github",code="unavailable"} 0+1x70`, `mlsdm_ci_last_poll_timestamp_seconds{forge="github"} 0x70`},
			[]hour{
				{`mlsdm_ci_polls_total{forge="github",code="unavailable"} 0+1x70`, `mlsdm_ci_last_poll_timestamp_seconds{forge="github"} 3000x70`}, // others went well
				{`mlsdm_ci_polls_total{forge="github",code="ok"} 0+1x70`, `mlsdm_ci_last_poll_timestamp_seconds{forge="github"} 0x70`},
			},
		},
		"CIQuotaLow": {
			hour{`mlsdm_ci_quota_remaining{forge="github"} 5x70`, `mlsdm_ci_quota_limit{forge="github"} 100x70`},
			[]hour{
				{`mlsdm_ci_quota_remaining{forge="github"} 50x70`, `mlsdm_ci_quota_limit{forge="github"} 100x70`},
				{`mlsdm_ci_quota_remaining{forge="github"} 0x70`, `mlsdm_ci_quota_limit{forge="github"} 0x70`}, // nothing is known of it
			},
		},
	}
}

// TestAlerts: every alert is raised by what it is about, and not by what is near it.
func TestAlerts(t *testing.T) {
	t.Parallel()
	var recorded []string
	for _, r := range rules(t) {
		if r.Record != "" {
			recorded = append(recorded, r.Record, "("+r.Expr+")")
		}
	}
	all, seen := alarms(), 0
	for _, r := range rules(t) {
		if r.Alert == "" {
			continue
		}
		seen++
		t.Run(r.Alert, func(t *testing.T) {
			t.Parallel()
			c, known := all[r.Alert]
			require.True(t, known, "say in alarms when it is to be raised")
			expr := strings.NewReplacer(recorded...).Replace(r.Expr)
			require.NotEmpty(t, after(t, c.raised, expr), "it is raised: %s", expr)
			require.NotEmpty(t, c.quiet)
			for _, h := range c.quiet {
				require.Empty(t, after(t, h, expr), "it is not raised by %s", h)
			}
		})
	}
	require.Len(t, all, seen, "an alert is gone")
}

// after is what an expression says after an hour.
func after(t *testing.T, h hour, expr string) promql.Vector {
	t.Helper()
	engine := promql.NewEngine(promql.EngineOpts{MaxSamples: 100_000, Timeout: time.Minute})
	defer func() { require.NoError(t, engine.Close()) }()
	query, err := engine.NewInstantQuery(t.Context(), h.storage(t), nil, expr, time.Unix(0, 0).Add(time.Hour))
	require.NoError(t, err)
	defer query.Close()
	vector, err := query.Exec(t.Context()).Vector()
	require.NoError(t, err)
	return append(promql.Vector(nil), vector...)
}

// storage has the series, and nothing else.
func (h hour) storage(t *testing.T) storage.Queryable {
	t.Helper()
	type one struct {
		labels  labels.Labels
		samples []chunks.Sample
	}
	var all []one
	for _, line := range h {
		of, values, err := parser.ParseSeriesDesc(line)
		require.NoError(t, err, line)
		s := one{labels: of}
		for minute, value := range values {
			s.samples = append(s.samples, sample{int64(minute) * time.Minute.Milliseconds(), value.Value})
		}
		all = append(all, s)
	}
	return &storage.MockQueryable{MockQuerier: &storage.MockQuerier{
		SelectMockFunction: func(_ bool, _ *storage.SelectHints, matchers ...*labels.Matcher) storage.SeriesSet {
			var found []storage.Series
			for _, s := range all {
				if !slices.ContainsFunc(matchers, func(m *labels.Matcher) bool { return !m.Matches(s.labels.Get(m.Name)) }) {
					found = append(found, storage.NewListSeries(s.labels, s.samples))
				}
			}
			return &seriesSet{all: found, at: -1}
		},
	}}
}

// sample is a value at a time, in milliseconds.
type sample struct {
	at    int64
	value float64
}

var _ chunks.Sample = sample{}

// T implements [chunks.Sample], as do the others.
func (s sample) T() int64                      { return s.at }
func (s sample) F() float64                    { return s.value }
func (s sample) H() *histogram.Histogram       { return nil }
func (s sample) FH() *histogram.FloatHistogram { return nil }
func (s sample) Type() chunkenc.ValueType      { return chunkenc.ValFloat }
func (s sample) Copy() chunks.Sample           { return s }

// seriesSet goes through series.
type seriesSet struct {
	all []storage.Series
	at  int
}

// Next implements [storage.SeriesSet], as do the others.
func (s *seriesSet) Next() bool                        { s.at++; return s.at < len(s.all) }
func (s *seriesSet) At() storage.Series                { return s.all[s.at] }
func (s *seriesSet) Err() error                        { return nil }
func (s *seriesSet) Warnings() annotations.Annotations { return nil }
