package bench_test

import (
	"testing"
)

// BenchmarkWebhooks measures real processes on this machine: a NATS server, a dispatcher, a sink, and this one as who
// publishes. Rates stand beside the ceiling and latencies beside their floor, measured in the same run.
func BenchmarkWebhooks(b *testing.B) {
	s := newStack(b, 1, memoryLimit)
	s.create(b, 10, func(int) string { return custom("ten") })
	memory := s.watchMemory(b)
	ceiling := &throughput{name: "ceiling: sign and post, 64 connections"}
	deliver := &throughput{name: "publish and deliver, 20,000 events to 1 endpoint"}
	fan := &throughput{name: "publish and deliver, 2,000 events to 10 endpoints"}
	drain := &throughput{name: "drain of a queue of 20,000 deliveries to 1 endpoint"}
	catchUp := &throughput{name: "catch up with 20,000 events for 1 endpoint"}
	for range rounds { // in turns, so that a busy neighbour meets all
		s.ceiling(b, ceiling)
		s.deliver(b, deliver, custom("bench"), 1, 20_000)
		s.deliver(b, fan, custom("ten"), 10, 2_000)
		s.drain(b, drain, custom("bench"), 20_000)
		s.catchUp(b, catchUp, custom("bench"), 20_000)
	}
	ours := s.latency(b, "200 events a second, open loop", s.publisher(custom("bench")))
	peak := memory()
	floor := s.latency(b, "floor: JetStream, one consumer, post", s.startFloor(b))

	var t table
	t.rates(b, ceiling, deliver, fan, drain, catchUp)
	t.latencies(b, ours, floor)
	t.line("peak memory (PSS), MiB: nats-server %.0f (GOMEMLIMIT=%s), dispatcher %.0f, together %.0f", peak.nats, memoryLimit, peak.dispatchers, peak.together)
	t.print(b, "webhooks of 1 KiB; best of 3 rounds")
	b.ReportMetric(deliver.best, "deliveries/s")
	b.ReportMetric(drain.best, "drain/s")
	b.ReportMetric(fan.best, "fan10/s")
	b.ReportMetric(catchUp.best, "catch-up/s")
	b.ReportMetric(ceiling.best, "ceiling/s")
	b.ReportMetric(100*deliver.best/ceiling.best, "%ceiling")
	b.ReportMetric(100*drain.best/ceiling.best, "%ceiling-drain")
	b.ReportMetric(100*fan.best/ceiling.best, "%ceiling-fan10")
	b.ReportMetric(float64(deliver.ours().Microseconds()), "cpu-µs/delivery")
	b.ReportMetric(ours.at(.5), "p50-ms")
	b.ReportMetric(ours.at(.99), "p99-ms")
	b.ReportMetric(floor.at(.5), "floor-p50-ms")
	b.ReportMetric(floor.at(.99), "floor-p99-ms")
	b.ReportMetric(peak.together, "MiB")
	b.ReportMetric(peak.dispatchers, "dispatcher-MiB")
}

// BenchmarkWebhooksAtScale measures what 100,000 waiting retries and 10,000 endpoints cost those that have nothing to do
// with them.
func BenchmarkWebhooksAtScale(b *testing.B) {
	const retries, endpoints = 100_000, 10_000
	s := newStack(b, 1, largeMemoryLimit)
	alone, beside := &throughput{name: "nothing waits"}, &throughput{name: "100,000 retries wait"}
	for range rounds {
		s.deliver(b, alone, custom("bench"), 1, 20_000)
	}
	quiet := s.latency(b, alone.name, s.publisher(custom("bench")))
	s.park(b, retries)
	for range rounds {
		s.deliver(b, beside, custom("bench"), 1, 20_000)
	}
	waiting := s.latency(b, beside.name, s.publisher(custom("bench")))
	s.unpark(b)

	few := s.idle(b)
	s.create(b, endpoints, func(n int) string { return custom("other", letters(n)) })
	many := s.idle(b)
	crowded := s.latency(b, "10,000 endpoints", s.publisher(custom("bench")))
	each := (many.dispatchers - few.dispatchers) * (1 << 20) / endpoints

	var t table
	t.rates(b, alone, beside)
	t.latencies(b, quiet, waiting, crowded)
	t.line("10,000 endpoints: %.0f bytes each (PSS of the dispatcher, %.1f MiB without and %.1f MiB with them)", each, few.dispatchers, many.dispatchers)
	t.print(b, "webhooks of 1 KiB, at scale, nats-server with GOMEMLIMIT="+largeMemoryLimit)
	b.ReportMetric(beside.best/alone.best, "x-rate-100k-waiting")
	b.ReportMetric(waiting.at(.5)/quiet.at(.5), "x-p50-100k-waiting")
	b.ReportMetric(crowded.at(.5)/quiet.at(.5), "x-p50-10k-endpoints")
	b.ReportMetric(each, "bytes/endpoint")
}

// BenchmarkWebhooksIsolation measures how long healthy endpoints wait for their webhooks: 15 of them alone; with five more, of
// which each fourth event is; and with five bad ones in their stead, one that hangs, one that always answers 500, one that
// flaps, one that asks for patience and one that closes the connection. The second has as many events as the third, so that
// what is between these two is what the bad ones do.
func BenchmarkWebhooksIsolation(b *testing.B) {
	const healthy, more, seconds = 15, 5, 10
	s := newStack(b, 3, memoryLimit)
	s.create(b, healthy+more, func(n int) string { return custom("healthy", letters(n)) })
	var fifteen, twenty, withBad []string
	for n := range healthy {
		fifteen = append(fifteen, custom("healthy", letters(n)))
	}
	for i, kind := range []string{"hang", "500", "flap", "429", "close"} {
		s.createBad(b, kind, custom("bad", kind))
		three := fifteen[i*3 : i*3+3] // three, one of the others, three, …
		twenty = append(append(twenty, three...), custom("healthy", letters(healthy+i)))
		withBad = append(append(withBad, three...), custom("bad", kind))
	}
	all := func(events int) int { return events }
	threeOfFour := func(events int) int { return events - events/4 }
	measure := func(best *latency, name string, types []string, arrive func(events int) int) {
		turns := len(types)
		rate := openLoop * turns / healthy // so that the fifteen get the same
		l := s.latencies(b, name, s.publisher(types...), rate, rate*seconds/turns*turns, arrive)
		if best.took == nil || l.at(.99) < best.at(.99) {
			*best = l
		}
	}
	var alone, beside, bad latency
	for range rounds { // in turns, so that a busy neighbour meets all
		measure(&alone, "15 healthy endpoints", fifteen, all)
		measure(&beside, "beside 5 more healthy ones", twenty, all)
		measure(&bad, "beside 5 bad ones", withBad, threeOfFour)
	}

	var t table
	t.latencies(b, alone, beside, bad)
	t.line("p99 beside bad endpoints: %.2f times that beside healthy ones, %.2f times that alone", bad.at(.99)/beside.at(.99), bad.at(.99)/alone.at(.99))
	t.print(b, "isolation: 200 events a second to 15 healthy endpoints in turn, 3 dispatchers; best of 3 rounds")
	b.ReportMetric(alone.at(.99), "p99-ms-alone")
	b.ReportMetric(beside.at(.99), "p99-ms-beside-healthy")
	b.ReportMetric(bad.at(.99), "p99-ms")
	b.ReportMetric(bad.at(.99)/beside.at(.99), "x-p99")
	b.ReportMetric(bad.at(.99)/alone.at(.99), "x-p99-alone")
}
