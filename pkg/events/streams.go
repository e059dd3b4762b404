package events

import (
	"strconv"
	"time"
)

// Names of the streams of the catalogue, without the installation's prefix (see [Subjects.StreamName]).
const (
	StreamEvents      = "EVENTS"
	StreamRequests    = "REQUESTS"
	StreamResults     = "RESULTS"
	StreamChunks      = "CHUNKS"
	StreamDeliveries  = "DELIVERIES"
	StreamWaiting     = "WAITING"
	StreamAttempts    = "ATTEMPTS"
	StreamDeadLetters = "DEADLETTERS"
	StreamAudit       = "AUDIT"
	StreamLimits      = "LIMITS"
	StreamBudgets     = "BUDGETS"
	StreamParts       = "PARTS"
	StreamSightings   = "SIGHTINGS"
)

// Names of the durable consumers.
const (
	ConsumerRouter    = "dispatcher-router"
	ConsumerWorkers   = "dispatcher-workers"
	ConsumerRetries   = "dispatcher-retries"
	ConsumerEmbedder  = "embedder"
	ConsumerGenerator = "generator"
)

// Names of the KV buckets, without the installation's prefix (see [Subjects.BucketName]).
const (
	BucketEndpoints     = "endpoints"
	BucketEndpointState = "endpoint_state"
	BucketCI            = "ci"
	BucketCILeases      = "ci_leases"
	BucketSecrets       = "secrets"
	BucketMoral         = "moral"
	BucketSpaces        = "spaces"
	BucketJobs          = "jobs"
)

// ObjectsVectors is the name of the object store of vectors, without the installation's prefix (see [Subjects.BucketName]).
const ObjectsVectors = "vectors"

// Lives of results: without a wish, and at most.
const (
	DefaultResultTTL = time.Hour
	MaxResultTTL     = 24 * time.Hour
)

// Names of the services.
const (
	ServiceCIWatch    = "ciwatch"
	ServiceEmbedder   = "embedder"
	ServiceGenerator  = "generator"
	ServiceDispatcher = "dispatcher"
	ServiceSecretd    = "secretd"
)

// MicroName is the name of a service in the NATS micro protocol, by which `nats micro ls` finds it: "mlsdm-embedder".
func MicroName(service string) string { return "mlsdm-" + service }

// Retention policies.
const (
	RetentionLimits    = "limits"
	RetentionWorkQueue = "workqueue"
)

// Stream is one entry of the catalogue of streams. Subjects are written without the prefix.
type Stream struct {
	Name     string
	Subjects []string
	// Retention is "limits" or "workqueue".
	Retention string
	// MaxAge is how long a message is kept; 0 is for ever.
	MaxAge time.Duration
	// MaxBytes bounds the stream's size; 0 is no bound.
	MaxBytes int64
	// Duplicates is the window in which a second message with the same Nats-Msg-Id is dropped.
	Duplicates time.Duration
	// AllowTTL and AllowSchedules switch per-message TTL and message schedules on.
	AllowTTL       bool
	AllowSchedules bool
	// Counters makes every subject an atomic counter (ADR-49), of which only the value is kept: a message carries what is added
	// to it in [HeaderIncrement].
	Counters bool
	// For says what the stream is for.
	For string
	// UsedBy lists the services that need the stream to be there.
	UsedBy []string
}

// Streams returns the catalogue of streams.
func Streams() []Stream {
	const window = 2 * time.Minute
	const counted = 30 * time.Second // increments are many, and the server remembers the id of each for so long
	all := []string{ServiceCIWatch, ServiceEmbedder, ServiceGenerator, ServiceDispatcher, ServiceSecretd}
	return []Stream{
		{
			Name: StreamEvents, Subjects: []string{"events.>"}, Retention: RetentionLimits, MaxAge: 7 * 24 * time.Hour, Duplicates: window,
			For: "every event", UsedBy: all,
		},
		{
			// One subject a kind, not "requests.>": a request of no known kind is then refused at once, when it is
			// published, where it would otherwise lie in a work queue that nobody empties.
			Name: StreamRequests, Subjects: requestSubjects(), Retention: RetentionWorkQueue, Duplicates: window,
			For: "durable requests", UsedBy: []string{ServiceEmbedder, ServiceGenerator},
		},
		{
			Name: StreamResults, Subjects: []string{"results.*.*"}, Retention: RetentionLimits, MaxAge: MaxResultTTL, Duplicates: window,
			AllowTTL: true, For: "replies of durable requests", UsedBy: []string{ServiceEmbedder, ServiceGenerator},
		},
		{
			// Not in the stream of results: chunks are many, and must not push results out.
			Name: StreamChunks, Subjects: []string{"chunks.*.*"}, Retention: RetentionLimits, MaxAge: MaxResultTTL + time.Hour, MaxBytes: 1 << 30,
			Duplicates: window, AllowTTL: true, For: "streamed answers to durable requests", UsedBy: []string{ServiceGenerator},
		},
		{
			Name: StreamDeliveries, Subjects: []string{"deliveries.ready.*"}, Retention: RetentionWorkQueue, Duplicates: window,
			For: "webhook deliveries that are due", UsedBy: []string{ServiceDispatcher},
		},
		{
			// A stream of its own: one that waits for hours must not keep the server from forgetting those that came and went
			// before and after it.
			Name: StreamWaiting, Subjects: []string{"deliveries.later.*", "deliveries.again.*"}, Retention: RetentionWorkQueue, Duplicates: window,
			AllowTTL: true, AllowSchedules: true, For: "webhook deliveries that have to wait, and then are due", UsedBy: []string{ServiceDispatcher},
		},
		{
			Name: StreamAttempts, Subjects: []string{"attempts.*"}, Retention: RetentionLimits, MaxAge: 7 * 24 * time.Hour, MaxBytes: 256 << 20,
			Duplicates: window, For: "every delivery attempt", UsedBy: []string{ServiceDispatcher},
		},
		{
			Name: StreamDeadLetters, Subjects: []string{"deadletters.>"}, Retention: RetentionLimits, MaxAge: 30 * 24 * time.Hour, Duplicates: window,
			For:    "what was given up on, whole, with the reason",
			UsedBy: []string{ServiceEmbedder, ServiceGenerator, ServiceDispatcher},
		},
		{
			Name: StreamAudit, Subjects: []string{"audit.>"}, Retention: RetentionLimits, MaxAge: 90 * 24 * time.Hour, MaxBytes: 1 << 30,
			Duplicates: window, For: "who asked for which secret, and what came of it", UsedBy: []string{ServiceSecretd},
		},
		{
			// What is done of a large request is kept, so that a crash costs only the calls that were on their way. It is removed when the
			// result is stored.
			Name: StreamParts, Subjects: []string{"parts.*.*.*"}, Retention: RetentionLimits, MaxAge: MaxResultTTL, MaxBytes: 2 << 30,
			Duplicates: window, For: "vectors of large requests in the making", UsedBy: []string{ServiceEmbedder},
		},
		{
			// What a forge told, until who watches the repository has counted it; when it is full, forges are told to come again.
			Name: StreamSightings, Subjects: []string{"sightings.*"}, Retention: RetentionWorkQueue, MaxBytes: 256 << 20,
			Duplicates: window, For: "CI runs that were told of, and are to be counted", UsedBy: []string{ServiceCIWatch},
		},
		{
			// A count has a subject of its own in each window, and is of no use after it.
			Name: StreamLimits, Subjects: []string{"limits.>"}, Retention: RetentionLimits, MaxAge: 10 * time.Minute, MaxBytes: 64 << 20,
			Duplicates: counted, Counters: true, For: "requests and tokens that were used this minute", UsedBy: []string{ServiceGenerator},
		},
		{
			Name: StreamBudgets, Subjects: []string{"budgets.>"}, Retention: RetentionLimits, MaxAge: 48 * time.Hour, MaxBytes: 64 << 20,
			Duplicates: counted, Counters: true, For: "what was spent today", UsedBy: []string{ServiceGenerator},
		},
	}
}

// requestSubjects lists the subjects of durable requests, plain and under a caller's name.
func requestSubjects() []string {
	var subjects []string
	for _, kind := range RequestKinds() {
		subjects = append(subjects, "requests."+kind, "as.*.requests."+kind)
	}
	return subjects
}

// Consumer is one entry of the catalogue of durable consumers. There is a constant number of them.
type Consumer struct {
	// Stream and Name identify it.
	Stream, Name string
	// Filters are the subjects that it sees, without the prefix; none is all of the stream.
	Filters []string
	// AckWait is how long a message may be worked on without a sign of life.
	AckWait time.Duration
	// MaxAckPending bounds the messages that are being worked on by all replicas together. It is far above what the
	// replicas hold, because a consumer that reaches it can stall.
	MaxAckPending int
	// UsedBy is the service that reads it.
	UsedBy string
}

// CIShards is the number of parts that the watched repositories are divided into, each of which is watched by one replica.
const CIShards = 8

// ConsumerSightings is the name of the durable consumer of a part of the watched repositories, 0 to [CIShards]-1.
func ConsumerSightings(shard int) string { return "ciwatch-" + strconv.Itoa(shard) }

// Consumers returns the catalogue of durable consumers.
func Consumers() []Consumer {
	consumers := queues()
	for shard := range CIShards {
		consumers = append(consumers, Consumer{
			StreamSightings, ConsumerSightings(shard), []string{"sightings." + strconv.Itoa(shard)}, 30 * time.Second, 1000, ServiceCIWatch,
		})
	}
	return consumers
}

// queues are the consumers that all replicas of a service share.
func queues() []Consumer {
	const ackWait = 30 * time.Second
	return []Consumer{
		{StreamEvents, ConsumerRouter, nil, ackWait, 20000, ServiceDispatcher},
		{StreamDeliveries, ConsumerWorkers, nil, ackWait, 20000, ServiceDispatcher},
		{StreamWaiting, ConsumerRetries, []string{"deliveries.again.*"}, ackWait, 20000, ServiceDispatcher},
		{StreamRequests, ConsumerEmbedder, []string{"requests." + KindEmbed, "as.*.requests." + KindEmbed}, ackWait, 5000, ServiceEmbedder},
		{StreamRequests, ConsumerGenerator, []string{"requests." + KindGenerate, "as.*.requests." + KindGenerate}, ackWait, 5000, ServiceGenerator},
	}
}

// Bucket is one entry of the catalogue of KV buckets.
type Bucket struct {
	Name string
	// History is how many values of a key are kept, 1 to 64.
	History uint8
	// MaxAge is how long a value is kept; 0 is for ever.
	MaxAge time.Duration
	// For says what the bucket is for.
	For string
	// UsedBy lists the services that need it.
	UsedBy []string
}

// OrderedConsumer is the name of the durable consumer, on the events stream, of a strictly ordered endpoint. It is not in the
// catalogue: the dispatcher makes it with the endpoint.
func OrderedConsumer(endpoint string) string { return "dispatcher-ordered-" + endpoint }

// Buckets returns the catalogue of KV buckets.
func Buckets() []Bucket {
	return []Bucket{
		{BucketEndpoints, 5, 0, "webhook endpoints", []string{ServiceDispatcher}},
		{BucketEndpointState, 1, 0, "how webhook endpoints do: breakers, limits, what waits", []string{ServiceDispatcher}},
		{BucketCI, 2, 0, "CI health, one key a repository, workflow and branch", []string{ServiceCIWatch}},
		{BucketCILeases, 1, 0, "which replica watches which repositories", []string{ServiceCIWatch}},
		{BucketSecrets, 5, 0, "names, versions and times of secrets; never a value", []string{ServiceSecretd}},
		{BucketSpaces, 5, 0, "the length of each embedding model's vectors, as first seen", []string{ServiceEmbedder}},
		{BucketJobs, 1, 2 * MaxResultTTL, "how far large embeddings requests have come", []string{ServiceEmbedder}},
		{BucketMoral, 1, 0, "the moral filter's threshold, and what it is made of", []string{ServiceGenerator}},
	}
}

// ObjectStore is one entry of the catalogue of object stores.
type ObjectStore struct {
	Name string
	// MaxAge is how long an object is kept.
	MaxAge time.Duration
	// MaxBytes bounds the store's size.
	MaxBytes int64
	// For says what the store is for.
	For string
	// UsedBy lists the services that need it.
	UsedBy []string
}

// ObjectStores returns the catalogue of object stores.
func ObjectStores() []ObjectStore {
	return []ObjectStore{
		{ObjectsVectors, MaxResultTTL, 2 << 30, "vectors that are too many for one message", []string{ServiceEmbedder}},
	}
}
