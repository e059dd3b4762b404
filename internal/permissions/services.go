package permissions

import (
	"slices"
	"strings"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// service grants a service what it needs.
func (i Installation) service(u *User) {
	i.answers(u)
	i.asks(u)
	i.tells(u)
	i.obeys(u)
	u.Subscribe.add(i.Subjects.Hops()) // one of them makes spans of what the server says
	for _, s := range events.Streams() {
		if slices.Contains(s.UsedBy, u.Name) {
			u.Publish.add(api("STREAM.INFO", i.Subjects.StreamName(s.Name))) // is it there?
		}
	}
	for _, c := range events.Consumers() {
		if c.UsedBy == u.Name {
			i.consumes(u, i.Subjects.StreamName(c.Stream), c.Name)
		}
	}
	for _, b := range events.Buckets() {
		if slices.Contains(b.UsedBy, u.Name) {
			i.keeps(u, i.Subjects.BucketName(b.Name))
		}
	}
	for _, o := range events.ObjectStores() {
		if slices.Contains(o.UsedBy, u.Name) {
			i.stows(u, i.Subjects.BucketName(o.Name))
		}
	}
	switch u.Name {
	case events.ServiceCIWatch:
		u.Publish.add(i.Subjects.Below("sightings.*"))
		i.watches(u, i.Subjects.BucketName(events.BucketCI))
		i.watches(u, i.Subjects.BucketName(events.BucketCILeases))
	case events.ServiceEmbedder:
		i.works(u, events.KindEmbed)
		i.caches(u)
		i.divides(u)
		i.watches(u, i.Subjects.BucketName(events.BucketSpaces))
	case events.ServiceGenerator:
		i.works(u, events.KindGenerate)
		i.caches(u)
		i.streams(u)
		i.watches(u, i.Subjects.BucketName(events.BucketMoral))
		u.Publish.add(i.Subjects.Below("limits.>"), i.Subjects.Below("budgets.>"))
	case events.ServiceDispatcher:
		i.dispatches(u)
	case events.ServiceSecretd:
		u.Publish.add(i.Subjects.AuditSecrets())
		i.watches(u, i.Subjects.BucketName(events.BucketSecrets))
	}
}

// answers lets a service answer its operations, and the NATS micro protocol (ADR-32).
func (i Installation) answers(u *User) {
	for _, op := range events.Operations() {
		if op.Service != u.Name {
			continue
		}
		if !op.CallerOnly {
			u.Subscribe.add(i.Subjects.Below(op.Name))
		}
		u.Subscribe.add(i.Subjects.Below("as.*." + op.Name))
	}
	for _, verb := range []string{"PING", "INFO", "STATS"} {
		name := events.MicroName(u.Name)
		u.Subscribe.add("$SRV."+verb, "$SRV."+verb+"."+name, "$SRV."+verb+"."+name+".*")
	}
	askers := append(i.applications(), Admin)
	if u.Name == events.ServiceSecretd { // the one service that others ask
		askers = append(askers, slices.DeleteFunc(Services(), func(name string) bool { return name == u.Name })...)
	}
	for _, asker := range askers {
		u.Publish.add(Inbox(asker) + ".>")
	}
}

// asks lets a service ask for secrets, and hear that one has changed.
func (i Installation) asks(u *User) {
	if u.Name == events.ServiceSecretd {
		return
	}
	u.Publish.add(i.Subjects.Secret(u.Name))
	u.Subscribe.add(i.Subjects.Event(events.TypeSecretRotated))
}

// tells lets a service publish its own events.
func (i Installation) tells(u *User) {
	for _, t := range events.Types() {
		if t.PublishedBy(u.Name) {
			u.Publish.add(i.Subjects.Event(t.Name))
		}
	}
}

// obeys lets a service hear what operators tell its replicas.
func (i Installation) obeys(u *User) {
	for _, verb := range []string{events.ControlLogLevel, events.ControlShutdown} {
		u.Subscribe.add(i.Subjects.Control(u.Name, verb))
	}
}

// works lets a service answer durable requests of a kind, once each, give them up, and hear that an interactive one is canceled.
func (i Installation) works(u *User, kind string) {
	s := i.Subjects
	u.Publish.add(s.Result("*", "*"), s.DeadRequest(kind))
	u.Publish.add(api("STREAM.MSG.GET", s.StreamName(events.StreamResults))) // is this one answered already?
	u.Subscribe.add(s.Cancel("", "*"), s.Cancel("*", "*"))
}

// streams lets a service answer in chunks, at once and kept, and hear the readers.
func (i Installation) streams(u *User) {
	s := i.Subjects
	u.Subscribe.add(s.StreamControl("", "*", "*"), s.StreamControl("*", "*", "*"))
	u.Publish.add(s.Chunks("*", "*"), api("STREAM.MSG.GET", s.StreamName(events.StreamChunks)))
}

// caches lets the replicas of a service tell each other what they have deleted from their caches, and clear them for an operator.
func (i Installation) caches(u *User) {
	deleted := i.Subjects.CacheDeleted(u.Name)
	u.Publish.add(deleted)
	u.Subscribe.add(deleted, i.Subjects.CacheClear(u.Name, "*"))
}

// divides lets a service keep parts of a request that is large, find them again, and remove them when the request is done.
func (i Installation) divides(u *User) {
	stream := i.Subjects.StreamName(events.StreamParts)
	u.Publish.add(i.Subjects.Part("*", "*", "*"), api("STREAM.MSG.GET", stream), api("STREAM.PURGE", stream))
}

// dispatches lets the dispatcher move deliveries, and look back at what became of them.
func (i Installation) dispatches(u *User) {
	s := i.Subjects
	u.Publish.add(s.DeliveryReady("*"), s.DeliveryLater("*"), s.Attempts("*"), s.DeadEvent(), s.DeadDelivery("*", "*"))
	for _, bucket := range []string{events.BucketEndpoints, events.BucketEndpointState} {
		i.watches(u, s.BucketName(bucket))
	}
	all := s.StreamName(events.StreamEvents)
	for _, stream := range []string{all, s.StreamName(events.StreamAttempts), s.StreamName(events.StreamDeadLetters)} {
		i.scans(u, stream)
		u.Publish.add(api("STREAM.MSG.GET", stream))
	}
	// Ordered endpoints have a consumer each, dispatcher-ordered-<endpoint>, and a right cannot speak of a part of a token.
	i.consumes(u, all, "*")
	// Consumers of the catalogue, its own one too, are for who provisions.
	i.sparesCatalogue(u, all)
}

// consumes lets a user read a durable pull consumer, and settle what it got.
func (i Installation) consumes(u *User, stream, consumer string) {
	u.Publish.add(api("CONSUMER.INFO", stream, consumer), api("CONSUMER.MSG.NEXT", stream, consumer), "$JS.ACK."+stream+"."+consumer+".>")
}

// keeps lets a user read and write a KV bucket.
func (i Installation) keeps(u *User, bucket string) {
	stream := "KV_" + bucket
	u.Publish.add("$KV."+bucket+".>", api("STREAM.INFO", stream), api("STREAM.MSG.GET", stream), api("DIRECT.GET", stream, ">"))
}

// stows lets a user write, read and remove objects of an object store.
func (i Installation) stows(u *User, store string) {
	stream := "OBJ_" + store
	u.Publish.add("$O."+store+".C.*", "$O."+store+".M.*", api("STREAM.INFO", stream), api("STREAM.MSG.GET", stream), api("STREAM.PURGE", stream))
}

// watches lets a user follow a KV bucket: through a consumer that it makes, which pushes, with flow control.
func (i Installation) watches(u *User, bucket string) { i.scans(u, "KV_"+bucket) }

// scans lets a user read a stream in its order, through consumers that it makes and forgets. Their names are random, so
// nobody else can use them, but whoever makes a consumer may have it push anywhere in the account.
func (i Installation) scans(u *User, stream string) {
	u.Publish.add(
		api("CONSUMER.CREATE", stream, "*"), api("CONSUMER.CREATE", stream, "*", ">"), api("CONSUMER.DELETE", stream, "*"),
		api("CONSUMER.INFO", stream, "*"), "$JS.FC."+stream+".>",
	)
}

// sparesCatalogue refuses to make anew, change or delete the durable consumers of a stream that the catalogue names.
func (i Installation) sparesCatalogue(u *User, stream string) {
	for _, c := range events.Consumers() {
		if i.Subjects.StreamName(c.Stream) == stream {
			u.Publish.deny(
				api("CONSUMER.CREATE", stream, c.Name), api("CONSUMER.CREATE", stream, c.Name, ">"), api("CONSUMER.DELETE", stream, c.Name),
			)
		}
	}
}

// api is a subject of JetStream's API at its usual place.
func api(verb string, tokens ...string) string {
	return apiPrefix + strings.Join(append([]string{verb}, tokens...), ".")
}
