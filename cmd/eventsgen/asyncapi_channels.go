package main

import (
	"slices"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Names of the schemas of headers.
const (
	eventHeaders    = "event_headers"
	requestHeaders  = "request_headers"
	replyHeaders    = "reply_headers"
	errorHeaders    = "error_headers"
	durableHeaders  = "durable_request_headers"
	resultHeaders   = "result_headers"
	chunkHeaders    = "chunk_headers"
	endHeaders      = "end_of_stream_headers"
	keptHeaders     = "kept_chunk_headers"
	controlHeaders  = "stream_control_headers"
	deliveryHeaders = "delivery_headers"
	deadHeaders     = "dead_letter_headers"
)

// events adds a channel for each type of the catalogue and one for those of users.
func (d *document) events() {
	add := func(name, eventType, address, summary string, properties object) {
		message := d.message("event_"+name, summary, object{"allOf", []object{
			schemaOf("event"), {"type", "object", "properties", properties},
		}}, "contentType", events.ContentTypeCloudEvent, "headers", ref("#/components/schemas/"+eventHeaders))
		d.channel("events_"+name, address, eventType+": "+summary, message)
		d.action("publish_"+name, "send", "events_"+name, summary)
	}
	for _, t := range events.Types() {
		add(key(t.Name), t.Name, d.subjects.Event(t.Name), t.When+" (published by "+t.Publisher+")",
			object{"type", object{"const", t.Name}, "data", schemaOf(t.Name)})
	}
	add("custom", events.CustomPrefix+"<anything>", d.subjects.Event(events.CustomPrefix+"{type}"), "an event of a user",
		object{"type", object{"type", "string", "pattern", `^custom\.`}})
}

// operation adds the channels of an interactive operation: its subject, the one under a caller's name, and the reply.
func (d *document) operation(op events.Operation) {
	request := d.body(op.Request, requestHeaders)
	replies := []string{d.body(op.Response, replyHeaders)}
	if op.Streams {
		replies = append(replies, d.body(events.ChatChunk{}, chunkHeaders), d.endOfStream())
	}
	replies = append(replies, d.body(events.ErrorReply{}, errorHeaders))
	name := key(op.Name)
	// The caller's own inbox: nobody else knows its address.
	d.channel(name+"_reply", nil, "the reply to "+op.Name, replies...)
	var messages []object
	for _, m := range replies {
		messages = append(messages, ref("#/channels/"+name+"_reply/messages/"+m))
	}
	reply := object{"channel", ref("#/channels/" + name + "_reply"), "messages", messages}
	if !op.CallerOnly {
		d.channel(name, d.subjects.Interactive("", op.Name), op.Does, request)
		d.action(name, "receive", name, op.Does, "reply", reply)
	}
	d.channel("as_"+name, d.subjects.Interactive("{caller}", op.Name), op.Does+", under a caller's name", request)
	d.action("as_"+name, "receive", "as_"+name, op.Does, "reply", reply)
}

// endOfStream adds the message that ends a stream.
func (d *document) endOfStream() string {
	return d.message("end_of_stream", "an empty message ends the stream", object{"type", "string", "maxLength", 0},
		"headers", ref("#/components/schemas/"+endHeaders))
}

// control adds the channels on which callers say what is to become of a request that is being worked on.
func (d *document) control() {
	control := d.body(events.StreamControl{}, controlHeaders)
	cancel := d.message("cancel", "any body cancels the request", object{})
	for _, caller := range []string{"", "{caller}"} {
		as := ""
		if caller != "" {
			as = "as_"
		}
		d.channel(as+"cancel", d.subjects.Cancel(caller, "{request}"), "takes an interactive request back", cancel)
		d.action(as+"cancel", "receive", as+"cancel", "cancels an interactive request of the caller, at whichever replica has it")
		d.channel(as+"stream_control", d.subjects.StreamControl(caller, "{replica}", "{stream}"), "the reply subject of every chunk", control)
		d.action(as+"stream_control", "receive", as+"stream_control", "paces a stream, or ends it")
	}
}

// durable adds the channels of durable requests and of their results.
func (d *document) durable() {
	const stored = "JetStream acks that it is stored; the reply is kept on results.{caller}.{request}"
	durableBody := map[string]any{events.KindEmbed: events.EmbeddingsRequest{}, events.KindGenerate: events.ChatRequest{}}
	for _, kind := range events.RequestKinds() {
		name := bodyName(durableBody[kind])
		message := d.message("durable_"+name, "the same body as on "+d.subjects.Interactive("", kind), schemaOf(name),
			"headers", ref("#/components/schemas/"+durableHeaders))
		for _, caller := range []string{"", "{caller}"} {
			channel := "requests_" + key(kind)
			if caller != "" {
				channel = "as_" + channel
			}
			d.channel(channel, d.subjects.Request(caller, kind), "durable requests to "+kind, message)
			d.action(channel, "receive", channel, stored)
		}
	}
	var results []string
	for _, body := range []any{events.EmbeddingsResponse{}, events.ChatResponse{}, events.ErrorReply{}} {
		name := bodyName(body)
		results = append(results, d.message("result_"+name, "the result of a durable request", schemaOf(name),
			"headers", ref("#/components/schemas/"+resultHeaders)))
	}
	d.channel("results", d.subjects.Result("{caller}", "{request}"), "the reply of a durable request, or its error", results...)
	d.action("results", "send", "results", "the reply of a durable request, or its error")
	chunk := d.message("kept_chunk", "one chunk of a durable request's answer", schemaOf(bodyName(events.ChatChunk{})),
		"headers", ref("#/components/schemas/"+keptHeaders))
	d.channel("chunks", d.subjects.Chunks("{caller}", "{request}"), "the chunks of a durable request, and their end", chunk, d.endOfStream(),
		d.body(events.ErrorReply{}, errorHeaders))
	d.action("chunks", "send", "chunks", "the chunks of a durable request, and their end")
}

// deliveries adds the channels between the dispatcher's parts, for people who look inside.
func (d *document) deliveries() {
	delivery := d.message("delivery", "one event on its way to one endpoint", schemaOf("event"),
		"contentType", events.ContentTypeCloudEvent, "headers", ref("#/components/schemas/"+deliveryHeaders))
	d.channel("deliveries_ready", d.subjects.DeliveryReady("{endpoint}"), "deliveries that are due", delivery)
	d.channel("deliveries_again", d.subjects.DeliveryAgain("{endpoint}"), "deliveries that had to wait and are due", delivery)
	d.channel("deliveries_later", d.subjects.DeliveryLater("{delivery}"), "retries, held by JetStream's scheduler until their time", delivery)
	attempts := d.message("delivery_attempts", "several attempts to deliver webhooks",
		object{"type", "array", "items", schemaOf("delivery_attempt")})
	d.channel("attempts", d.subjects.Attempts("{endpoint}"), "what attempts to deliver came to", attempts)
	d.action("attempts", "send", "attempts", "what attempts to deliver came to")
}

// deadLetters adds the channels of what was given up.
func (d *document) deadLetters() {
	dead := d.message("dead_letter", "a message as it was, with the reason in its headers", object{"description", "the body as it was"},
		"headers", ref("#/components/schemas/"+deadHeaders))
	for _, c := range []struct{ name, address, summary string }{
		{"events", d.subjects.DeadEvent(), "events that cannot be read"},
		{"requests", d.subjects.DeadRequest("{kind}"), "durable requests that were given up"},
		{"deliveries", d.subjects.DeadDelivery("{fault}", "{endpoint}"), "webhooks that were given up"},
	} {
		d.channel("dead_"+c.name, c.address, c.summary, dead)
		d.action("dead_"+c.name, "send", "dead_"+c.name, c.summary)
	}
}

// headers adds the schemas of headers.
func (d *document) headers() {
	trace := []string{events.HeaderTraceParent, events.HeaderTraceState}
	for _, h := range []struct {
		name  string
		names []string
	}{
		{eventHeaders, append([]string{events.HeaderMsgID, events.HeaderContentType}, trace...)},
		{requestHeaders, append([]string{events.HeaderDeadline, events.HeaderTimeoutMS, events.HeaderRequestID, events.HeaderWindow, events.HeaderKeepaliveMS}, trace...)},
		{chunkHeaders, []string{events.HeaderContentType, events.HeaderSequence, events.HeaderKeepalive}},
		{endHeaders, []string{events.HeaderSequence, events.HeaderFinishReason, events.HeaderUsage}},
		{keptHeaders, []string{events.HeaderContentType, events.HeaderRequestID, events.HeaderAttempt, events.HeaderSequence, events.HeaderMsgTTL}},
		{controlHeaders, []string{events.HeaderContentType}},
		{replyHeaders, []string{events.HeaderContentType}},
		{errorHeaders, []string{
			events.HeaderErrorCode, events.HeaderError, events.HeaderContentType, events.HeaderSequence, events.HeaderUsage,
		}},
		{durableHeaders, append([]string{events.HeaderMsgID, events.HeaderRequestID, events.HeaderDeadline, events.HeaderResultTTL}, trace...)},
		{resultHeaders, append([]string{
			events.HeaderRequestID, events.HeaderRequestOrigin, events.HeaderRequestHash, events.HeaderErrorCode, events.HeaderError, events.HeaderMsgTTL,
		}, trace...)},
		{deliveryHeaders, append([]string{
			events.HeaderMsgID, events.HeaderContentType, events.HeaderDelivery, events.HeaderEndpoint, events.HeaderEventID,
			events.HeaderEventType, events.HeaderAttempt, events.HeaderFirstAttemptAt, events.HeaderSchedule, events.HeaderScheduleTarget,
		}, trace...)},
		{deadHeaders, []string{
			events.HeaderDeadReason, events.HeaderDeadCode, events.HeaderDeadSubject, events.HeaderDeadStream, events.HeaderDeadSequence,
			events.HeaderDeadAttempts, events.HeaderDeadTime, events.HeaderDeadMsgID,
		}},
	} {
		properties := object{}
		for _, entry := range events.Headers() {
			if slices.Contains(h.names, entry.Name) {
				properties.set(entry.Name, object{"type", "string", "description", entry.Means})
			}
		}
		d.schemas.set(h.name, object{"type", "object", "properties", properties})
	}
}
