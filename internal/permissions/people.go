package permissions

import "github.com/neuron7x/mlsdm-integrations/pkg/events"

// admin grants what makes, reads and repairs.
func (i Installation) admin(u *User) {
	all := i.Subjects.Below(">")
	u.Publish.add(all, "$JS.API.>", "$JS.ACK.>", "$JS.FC.>", "$JS.SNAPSHOT.ACK.>", "$JS.SNAPSHOT.RESTORE.>", "$SRV.>")
	u.Publish.deny(i.Subjects.Below("audit.>")) // what happened is not for anyone to write
	u.Subscribe.add(all, "$JS.EVENT.>")
	for _, b := range events.Buckets() {
		u.Publish.add("$KV." + i.Subjects.BucketName(b.Name) + ".>")
	}
	for _, o := range events.ObjectStores() {
		u.Publish.add("$O." + i.Subjects.BucketName(o.Name) + ".>")
	}
}

// application grants what an application needs: the two doors under its own name, its results, events.
func (i Installation) application(u *User) {
	s := i.Subjects
	u.Publish.add(s.Below("as." + u.Name + ".>"))
	for _, verb := range []string{"PING", "INFO", "STATS"} { // who is there? (`nats micro ls`)
		u.Publish.add("$SRV."+verb, "$SRV."+verb+".>")
	}
	for _, t := range events.Types() {
		if t.ByAnyone() {
			u.Publish.add(s.Event(t.Name))
		}
	}
	u.Publish.add(s.Event(events.CustomPrefix + ">"))
	u.Subscribe.add(s.Event(">"), s.Result(u.Name, "*"), s.Chunks(u.Name, "*"))
	i.reads(u)
}

// reads lets an application read events, its own results and their chunks from their streams, through consumers that it makes and
// forgets and whose names are random, and events through one durable consumer of its own, handler-<name>.
func (i Installation) reads(u *User) {
	s := i.Subjects
	all := s.StreamName(events.StreamEvents)
	u.Publish.add(
		api("STREAM.INFO", all),
		api("CONSUMER.CREATE", all, "*"), api("CONSUMER.CREATE", all, "*", ">"), api("CONSUMER.INFO", all, "*"), api("CONSUMER.MSG.NEXT", all, "*"),
	)
	for stream, own := range map[string]string{events.StreamResults: s.Result(u.Name, "*"), events.StreamChunks: s.Chunks(u.Name, "*")} {
		stream = s.StreamName(stream)
		u.Publish.add(
			// With the filter in the subject, which the server compares with that of the consumer: no others' results.
			api("CONSUMER.CREATE", stream, "*", own), api("CONSUMER.MSG.NEXT", stream, "*"),
			api("CONSUMER.INFO", stream, "*"), api("CONSUMER.DELETE", stream, "*"),
		)
	}
	i.consumes(u, all, "handler-"+u.Name)
	i.sparesCatalogue(u, all)
	for _, c := range events.Consumers() {
		if s.StreamName(c.Stream) == all {
			u.Publish.deny(api("CONSUMER.MSG.NEXT", all, c.Name))
		}
	}
}
