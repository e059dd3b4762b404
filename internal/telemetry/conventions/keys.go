package conventions

import (
	"strings"

	"go.opentelemetry.io/otel/attribute"
)

// deprecated returns the keys that were once in the conventions, and what has taken their place.
func deprecated() map[string]string {
	return map[string]string{ //nolint:gosec // names of attributes, some of which have "token" in them
		"code.function": "code.function.name", "db.name": "db.namespace", "db.operation": "db.operation.name",
		"db.redis.database_index": "db.namespace", "db.sql.table": "db.collection.name", "db.statement": "db.query.text", "db.system": "db.system.name",
		"db.connection_string": "server.address and server.port", "db.user": "nothing",
		"error.message": "the status", "gen_ai.completion": "gen_ai.output.messages", "gen_ai.prompt": "gen_ai.input.messages",
		"gen_ai.openai.request.response_format": "gen_ai.output.type", "gen_ai.openai.request.service_tier": "openai.request.service_tier",
		"gen_ai.openai.response.service_tier":       "openai.response.service_tier",
		"gen_ai.openai.response.system_fingerprint": "openai.response.system_fingerprint", "gen_ai.openai.request.seed": "gen_ai.request.seed",
		"gen_ai.system": "gen_ai.provider.name", "gen_ai.usage.completion_tokens": "gen_ai.usage.output_tokens",
		"gen_ai.usage.prompt_tokens": "gen_ai.usage.input_tokens",
		"http.client_ip":             "client.address", "http.flavor": "network.protocol.version", "http.host": "server.address", "http.method": "http.request.method",
		"http.request_content_length": "http.request.body.size", "http.resend_count": "http.request.resend_count",
		"http.response_content_length": "http.response.body.size", "http.scheme": "url.scheme", "http.server_name": "server.address",
		"http.status_code": "http.response.status_code", "http.target": "url.path and url.query", "http.url": "url.full",
		"http.user_agent": "user_agent.original", "message.type": "rpc.message.type",
		"messaging.client_id": "messaging.client.id", "messaging.consumer.id": "messaging.client.id", "messaging.destination": "messaging.destination.name",
		"messaging.destination_kind": "nothing", "messaging.destination_publish.name": "nothing",
		"messaging.kafka.consumer.group": "messaging.consumer.group.name", "messaging.message.payload_size_bytes": "messaging.message.body.size",
		"messaging.message_id": "messaging.message.id", "messaging.nats.attempt": "messaging.nats.num_delivered", "messaging.operation": "messaging.operation.type",
		"messaging.protocol": "network.protocol.name", "messaging.temp_destination": "messaging.destination.temporary", "messaging.url": "server.address",
		"net.host.ip": "network.local.address", "net.host.name": "server.address", "net.host.port": "server.port", "net.peer.ip": "network.peer.address",
		"net.peer.name": "server.address", "net.peer.port": "server.port", "net.protocol.name": "network.protocol.name",
		"net.protocol.version": "network.protocol.version", "net.sock.family": "network.type", "net.sock.peer.addr": "network.peer.address",
		"net.sock.peer.name": "nothing", "net.sock.peer.port": "network.peer.port", "net.transport": "network.transport",
		"peer.service": "service.peer.name", "rpc.system": "rpc.system.name",
	}
}

// typeOf returns the type that an attribute must have; known is false for those of ours that may have any.
func typeOf(key string) (want attribute.Type, known bool) {
	switch key {
	case "db.operation.batch.size", "db.response.returned_rows", "gen_ai.embeddings.dimension.count", "gen_ai.request.choice.count",
		"gen_ai.request.max_tokens", "gen_ai.request.seed", "http.request.body.size", "http.request.resend_count", "http.request.size",
		"http.response.body.size", "http.response.size", "http.response.status_code", "messaging.batch.message_count",
		"messaging.message.body.size", "messaging.message.envelope.size", "messaging.nats.consumer.sequence", "messaging.nats.num_delivered",
		"messaging.nats.num_pending", "messaging.nats.sequence", "network.local.port", "network.peer.port", "server.port", "mlsdm.delivery.attempt":
		return attribute.INT64, true
	case "gen_ai.request.frequency_penalty", "gen_ai.request.presence_penalty", "gen_ai.request.temperature", "gen_ai.request.top_p",
		"gen_ai.response.time_to_first_chunk", "mlsdm.retry.delay":
		return attribute.FLOAT64, true
	case "gen_ai.request.stream", "messaging.destination.anonymous", "messaging.destination.temporary", "messaging.nats.duplicate":
		return attribute.BOOL, true
	case "gen_ai.request.encoding_formats", "gen_ai.request.stop_sequences", "gen_ai.response.finish_reasons":
		return attribute.STRINGSLICE, true
	case "gen_ai.request.top_k": // a float in the conventions, a whole number with every provider
		return want, false
	case "gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.system_instructions", "gen_ai.tool.definitions":
		return attribute.STRING, true // JSON
	}
	switch {
	case strings.HasPrefix(key, "gen_ai.usage."):
		return attribute.INT64, true
	case strings.HasPrefix(key, "mlsdm."), strings.HasPrefix(key, "messaging.nats."):
		return want, false
	default:
		return attribute.STRING, true
	}
}
