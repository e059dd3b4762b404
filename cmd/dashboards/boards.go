package main

// boards returns all dashboards.
func boards() []board { return []board{stack(), deliveries(), models(), ci()} }

func stack() board {
	return board{id: "stack", title: "MLSDM: stack", about: "What is asked, what waits, and what the processes do.", rows: []row{
		{"Services", []panel{
			table("Builds", "What is running.", "none", "mlsdm_build_info"),
			graph("Connected", "Replicas with a connection to NATS.", "none", "sum by (service) (mlsdm_bus_connected)", "{{service}}"),
			graph("Memory", "0 normal, 1 warning, 2 critical: load is shed.", "none", "max by (service) (mlsdm_memory_level)", "{{service}}"),
		}},
		{"Requests", []panel{
			graph("Rate", "Interactive requests a second.", "reqps", "service_operation:mlsdm_bus_requests:rate5m", "{{operation}}"),
			graph("Failures", "Share of them that ended with an error that is not the caller's.", "percentunit",
				"service_operation:mlsdm_bus_requests_failed:rate5m / service_operation:mlsdm_bus_requests:rate5m", "{{operation}}"),
			quantiles("Duration", "From arrival to answer.", "mlsdm_bus_request_seconds", "operation"),
			graph("Errors by code", "", "reqps", `sum by (code) (rate(mlsdm_bus_requests_total{code!="ok"}[$__rate_interval]))`, "{{code}}"),
		}},
		{"Streams", []panel{
			graph("Handled", "Messages settled a second.", "ops", "stream_consumer:mlsdm_bus_messages:rate5m", "{{consumer}}"),
			graph("Results", "What became of them, but for those that went well.", "ops",
				`sum by (consumer, result) (rate(mlsdm_bus_messages_total{result!="ack"}[$__rate_interval]))`, "{{consumer}} {{result}}"),
			quantiles("Handling", "How long handlers took.", "mlsdm_bus_handle_seconds", "consumer"),
			quantiles("Waiting", "From the storing of a message to its first handling.", "mlsdm_bus_wait_seconds", "consumer"),
			graph("Backlog", "Messages that were not handed out yet.", "short", "max by (consumer) (mlsdm_bus_consumer_pending)", "{{consumer}}"),
			graph("Oldest", "How long the oldest of them has waited.", "s", "max by (consumer) (mlsdm_bus_consumer_oldest_seconds)", "{{consumer}}"),
			graph("Not settled", "Messages that were handed out: at work, or put off.", "short", "max by (consumer) (mlsdm_bus_consumer_ack_pending)", "{{consumer}}"),
			graph("Handed out again", "Messages a second that were handed out before.", "ops",
				"sum by (consumer) (rate(mlsdm_bus_redelivered_total[$__rate_interval]))", "{{consumer}}"),
			graph("Dead letters", "Messages given up within an hour.", "short", "sum by (stream) (increase(mlsdm_bus_dead_letters_total[1h]))", "{{stream}}"),
			graph("Published", "Messages stored a second, by subject.", "ops",
				`sum by (subject) (rate(mlsdm_bus_published_total{result="stored"}[$__rate_interval]))`, "{{subject}}"),
			graph("Not published", "Messages that could not be stored.", "ops",
				`sum by (subject) (rate(mlsdm_bus_published_total{result="failed"}[$__rate_interval]))`, "{{subject}}"),
		}},
		{"Secrets", []panel{
			graph("Asked for", "Requests to secretd, by outcome.", "reqps", "sum by (outcome) (rate(mlsdm_secret_requests_total[$__rate_interval]))", "{{outcome}}"),
			graph("Stores", "Calls to stores, by outcome.", "reqps", "sum by (store, outcome) (rate(mlsdm_secret_store_calls_total[$__rate_interval]))", "{{store}} {{outcome}}"),
			graph("Stores that fail", "1 is left alone for a while.", "none", "max by (store) (mlsdm_secret_store_failing)", "{{store}}"),
			graph("Age", "How long ago a store last confirmed the secret that has been kept longest.", "s", "max by (store) (mlsdm_secret_cache_oldest_seconds)", "{{store}}"),
			graph("Audit", "Records that wait to be stored.", "short", "sum(mlsdm_secret_audit_records_waiting)", "waiting"),
		}},
		{"Processes", []panel{
			graph("Memory", "Resident.", "bytes", "process_resident_memory_bytes", "{{service}} {{instance}}"),
			graph("CPU", "Cores in use.", "none", "rate(process_cpu_seconds_total[$__rate_interval])", "{{service}} {{instance}}"),
			graph("Garbage collection", "Share of the CPU time that it takes.", "percentunit",
				"rate(go_cpu_classes_gc_total_cpu_seconds_total[$__rate_interval]) / rate(go_cpu_classes_total_cpu_seconds_total[$__rate_interval])", "{{service}} {{instance}}"),
			graph("Goroutines", "", "short", "go_goroutines", "{{service}} {{instance}}"),
			graph("Scheduling", "What one goroutine in a hundred waits for a CPU.", "s",
				"histogram_quantile(0.99, sum by (le, service) (rate(go_sched_latencies_seconds_bucket[$__rate_interval])))", "{{service}}"),
			graph("Telemetry lost", "What no collector has taken, within half an hour.", "short",
				"sum by (service, signal) (increase(mlsdm_telemetry_dropped_total[30m]))", "{{service}} {{signal}}"),
			graph("Files", "Open ones, sockets too.", "short", "process_open_fds", "{{service}} {{instance}}"),
		}},
	}}
}

func deliveries() board {
	return board{id: "deliveries", title: "MLSDM: deliveries", about: "Webhooks: what goes out, what comes back, and what waits.", rows: []row{
		{"All endpoints", []panel{
			graph("Attempts", "By outcome.", "ops", "sum by (outcome) (rate(mlsdm_webhook_attempts_total[$__rate_interval]))", "{{outcome}}"),
			{
				title: "From event to delivery", about: "Retries included.", unit: "s",
				queries: []query{
					{"histogram_quantile(0.5, sum by (le) (rate(mlsdm_webhook_delivery_seconds_bucket[$__rate_interval])))", "p50"},
					{"histogram_quantile(0.99, sum by (le) (rate(mlsdm_webhook_delivery_seconds_bucket[$__rate_interval])))", "p99"},
				},
			},
			graph("In flight", "Attempts that wait for an answer.", "short", "sum(mlsdm_webhook_attempts_in_flight)", "in flight"),
			graph("Waiting", "Deliveries that were not tried yet, or are put off.", "short",
				`max by (consumer) (mlsdm_bus_consumer_pending{consumer=~"dispatcher-.*"} + mlsdm_bus_consumer_ack_pending{consumer=~"dispatcher-.*"})`, "{{consumer}}"),
			graph("Given up", "Within an hour.", "short", `sum by (endpoint) (increase(mlsdm_webhook_attempts_total{outcome="dead"}[1h]))`, "{{endpoint}}"),
			{
				title: "Lost", about: "Records of attempts that could not be stored, and filters that could not be evaluated, within an hour.", unit: "short",
				queries: []query{
					{"sum(increase(mlsdm_webhook_attempt_records_lost_total[1h]))", "records"},
					{"sum(increase(mlsdm_webhook_filters_unevaluated_total[1h]))", "filters"},
				},
			},
		}},
		{"Endpoints", []panel{
			graph("Deliveries", "Made of events, a second: the ten with the most.", "ops",
				"topk(10, sum by (endpoint) (rate(mlsdm_webhook_deliveries_total[$__rate_interval])))", "{{endpoint}}"),
			graph("Failures", "Share of the attempts that failed: the ten worst.", "percentunit",
				"topk(10, endpoint:mlsdm_webhook_attempts_failed:rate15m / endpoint:mlsdm_webhook_attempts:rate15m)", "{{endpoint}}"),
			graph("Answer", "What one attempt in a hundred takes: the ten slowest.", "s",
				"topk(10, histogram_quantile(0.99, sum by (le, endpoint) (rate(mlsdm_webhook_attempt_seconds_bucket[$__rate_interval]))))", "{{endpoint}}"),
			graph("Held back", "Attempts a second that had to wait for the endpoint's rate, concurrency or recovery: the ten with the most.", "ops",
				"topk(10, sum by (endpoint) (rate(mlsdm_webhook_held_back_total[$__rate_interval])))", "{{endpoint}}"),
		}},
	}}
}
