package main

func models() board {
	return board{id: "models", title: "MLSDM: models", about: "Generation and embeddings: what is asked, what providers do, what it costs.", rows: []row{
		{"Requests", []panel{
			graph("Rate", "By kind and code.", "reqps", "sum by (kind, code) (rate(mlsdm_requests_total[$__rate_interval]))", "{{kind}} {{code}}"),
			quantiles("Duration", "From arrival to reply.", "mlsdm_request_seconds", "kind"),
			graph("Models", "Requests a second that were answered: the ten with the most.", "reqps",
				`topk(10, sum by (model) (rate(mlsdm_requests_total{code="ok"}[$__rate_interval])))`, "{{model}}"),
			graph("Tokens", "A second, as providers counted them: the ten with the most.", "short",
				"topk(10, sum by (model, type) (rate(mlsdm_tokens_total[$__rate_interval])))", "{{model}} {{type}}"),
			graph("Cost", "An hour, in the currency of the price table.", "short", "sum by (model) (increase(mlsdm_cost_total[1h]))", "{{model}}"),
			graph("Without a price", "Requests an hour whose cost is not known.", "short", "sum by (model) (increase(mlsdm_unpriced_total[1h]))", "{{model}}"),
		}},
		{"Providers", []panel{
			graph("Attempts at generation", "By provider and class of failure.", "ops",
				"sum by (provider, class) (rate(mlsdm_attempts_total[$__rate_interval]))", "{{provider}} {{class}}"),
			graph("Failures", "Share of the attempts.", "percentunit", "provider:mlsdm_attempts_failed:rate5m / provider:mlsdm_attempts:rate5m", "{{provider}}"),
			quantiles("Duration of attempts", "Whole streams included.", "mlsdm_attempt_seconds", "provider"),
			graph("Calls for embeddings", "By provider and outcome.", "ops",
				"sum by (provider, outcome) (rate(mlsdm_embedder_calls_total[$__rate_interval]))", "{{provider}} {{outcome}}"),
			quantiles("Duration of calls", "Failed ones included.", "mlsdm_embedder_call_seconds", "provider"),
			graph("Texts in a call", "On average.", "short",
				"sum by (provider) (rate(mlsdm_embedder_call_texts_sum[$__rate_interval])) / sum by (provider) (rate(mlsdm_embedder_call_texts_count[$__rate_interval]))",
				"{{provider}}"),
		}},
		{"Cache", []panel{
			graph("Where it was found", "Keys looked up, by tier.", "ops",
				"sum by (namespace, tier) (rate(mlsdm_cache_lookups_total[$__rate_interval]))", "{{namespace}} {{tier}}"),
			graph("Found", "Share of the lookups.", "percentunit",
				`sum by (namespace) (rate(mlsdm_cache_lookups_total{tier!="none"}[$__rate_interval])) / sum by (namespace) (rate(mlsdm_cache_lookups_total[$__rate_interval]))`,
				"{{namespace}}"),
			graph("Memory", "What the caches of the processes hold.", "bytes", "sum by (service, namespace) (mlsdm_cache_memory_bytes)", "{{service}} {{namespace}}"),
			graph("Redis", "1 is used.", "none", "min by (service, operation) (mlsdm_cache_redis_up)", "{{service}} {{operation}}"),
		}},
		{"Moral filter", []panel{
			graph("Decisions", "", "ops", "sum by (stage, decision) (rate(mlsdm_moral_decisions_total[$__rate_interval]))", "{{stage}} {{decision}}"),
			graph("Not judged", "And why.", "ops", "sum by (stage, reason) (rate(mlsdm_moral_unjudged_total[$__rate_interval]))", "{{stage}} {{reason}}"),
			graph("Threshold", "Least score that passes.", "none", "min(mlsdm_moral_threshold)", "threshold"),
		}},
	}}
}

func ci() board {
	return board{id: "ci", title: "MLSDM: CI", about: "The health of what is watched, and of the watching.", rows: []row{
		{"Workflows", []panel{
			table("Not healthy", "Workflows whose health is anything else.", "none", `mlsdm_ci_health{health!="healthy"}`),
			graph("Failures in a row", "", "short", "topk(20, mlsdm_ci_consecutive_failures > 0)", "{{repository}} {{workflow}} {{branch}}"),
			graph("Failures", "Share of the last 30 days' runs: the ten worst.", "percentunit", "topk(10, mlsdm_ci_failure_ratio)", "{{repository}} {{workflow}} {{branch}}"),
			graph("Time to green", "From the first failure of a streak to its end, on average: the ten longest.", "s",
				"topk(10, mlsdm_ci_time_to_green_seconds)", "{{repository}} {{workflow}} {{branch}}"),
			graph("Time to recover", "From degraded to healthy, on average: the ten longest.", "s",
				"topk(10, mlsdm_ci_mean_time_to_recovery_seconds)", "{{repository}} {{workflow}} {{branch}}"),
			graph("Runs", "What one run in twenty takes: the ten longest.", "s", `topk(10, mlsdm_ci_run_seconds{quantile="0.95"})`, "{{repository}} {{workflow}} {{branch}}"),
			graph("Queue", "What one run in twenty waits to start: the ten longest.", "s",
				`topk(10, mlsdm_ci_queue_seconds{quantile="0.95"})`, "{{repository}} {{workflow}} {{branch}}"),
			graph("Conclusions", "Attempts of runs that were counted, an hour.", "short", "sum by (conclusion) (increase(mlsdm_ci_runs_total[1h]))", "{{conclusion}}"),
		}},
		{"Watching", []panel{
			graph("Polls", "By code.", "ops", "sum by (forge, code) (rate(mlsdm_ci_polls_total[$__rate_interval]))", "{{forge}} {{code}}"),
			graph("Without news", "Polls that cost nothing.", "ops", "sum by (forge) (rate(mlsdm_ci_not_modified_total[$__rate_interval]))", "{{forge}}"),
			quantiles("Duration of polls", "", "mlsdm_ci_poll_seconds", "forge"),
			graph("Rate limit", "What is left of it, as a share.", "percentunit", "mlsdm_ci_quota_remaining / mlsdm_ci_quota_limit", "{{forge}} {{credential}}"),
			{
				title: "Budget", about: "Requests an hour that are planned, and with which the rate limit lasts.", unit: "short",
				queries: []query{
					{"sum by (forge) (mlsdm_ci_requests_planned_per_hour)", "{{forge}} planned"},
					{"sum by (forge) (mlsdm_ci_requests_budget_per_hour)", "{{forge}} budget"},
				},
			},
			graph("Stretch", "By how much polls are spread to make the rate limit last.", "none", "max by (forge) (mlsdm_ci_poll_stretch)", "{{forge}}"),
			graph("Repositories", "That are polled.", "short", "sum by (forge) (mlsdm_ci_repositories)", "{{forge}}"),
			graph("Webhooks", "By outcome.", "ops", "sum by (forge, outcome) (rate(mlsdm_ci_webhooks_total[$__rate_interval]))", "{{forge}} {{outcome}}"),
			quantiles("Storing a webhook", "From the end of its head.", "mlsdm_ci_webhook_seconds", "forge"),
		}},
	}}
}
