package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// protocolFile is written by hand but for what stands between its markers.
const protocolFile = "docs/protocol.md"

// protocol puts the tables of the catalogue between the markers of docs/protocol.md: each of
//
//	<!-- generated: codes -->
//	<!-- end of codes -->
func protocol(root string, files map[string][]byte) error {
	content, err := os.ReadFile(filepath.Join(root, protocolFile))
	if err != nil {
		return err
	}
	for name, table := range tables() {
		marked := regexp.MustCompile(`(?s)(<!-- generated: ` + name + ` -->\n).*?(<!-- end of ` + name + ` -->)`)
		if n := len(marked.FindAllIndex(content, -1)); n != 1 {
			return fmt.Errorf("%s has %d places for the table %q; it must have one", protocolFile, n, name)
		}
		content = marked.ReplaceAllFunc(content, func(match []byte) []byte {
			parts := marked.FindSubmatch(match)
			return bytes.Join([][]byte{parts[1], []byte("\n"), []byte(table), []byte("\n"), parts[2]}, nil)
		})
	}
	files[protocolFile] = content
	return nil
}

// tables returns the tables by the names of their markers.
func tables() map[string]string {
	return map[string]string{
		"codes": codesTable(), "operations": operationsTable(), "types": typesTable(), "headers": headersTable(),
		"streams": streamsTable(), "consumers": consumersTable(), "buckets": bucketsTable(), "object stores": objectStoresTable(), "limits": limitsTable(),
	}
}

// table writes a Markdown table with one row for each entry.
func table[T any](titles []string, entries []T, cells func(T) []string) string {
	var b strings.Builder
	b.WriteString(row(titles...) + "|" + strings.Repeat("---|", len(titles)) + "\n")
	for _, entry := range entries {
		b.WriteString(row(cells(entry)...))
	}
	return b.String()
}

func codesTable() string {
	return table([]string{"code", "meaning", "retryable"}, events.Codes(), func(c events.Code) []string {
		return []string{code(string(c)), c.Meaning(), yes(c.Retryable())}
	})
}

func operationsTable() string {
	var s events.Subjects
	return table([]string{"subject", "request", "reply", "answered by", ""}, events.Operations(), func(op events.Operation) []string {
		subject := s.Interactive("", op.Name)
		if op.CallerOnly {
			subject = s.Interactive("<caller>", op.Name)
		}
		reply := schemaLink(op.Response)
		if op.Streams {
			reply += ", or a stream of " + schemaLink(events.ChatChunk{})
		}
		return []string{code(subject), schemaLink(op.Request), reply, op.Service, op.Does}
	})
}

func typesTable() string {
	return table([]string{"type", "published by", "when"}, events.Types(), func(e events.EventType) []string {
		when := e.When
		if e.NoEcho {
			when += " ¹"
		}
		return []string{"[" + code(e.Name) + "](../" + schemaDir + "/" + e.Name + ".json)", e.Publisher, when}
	}) + row(code(events.CustomPrefix+"<anything>"), "anyone", "yours")
}

func headersTable() string {
	return table([]string{"header", "on", "meaning"}, events.Headers(), func(h events.Header) []string {
		return []string{code(h.Name), h.On, h.Means}
	})
}

func streamsTable() string {
	var s events.Subjects
	return table([]string{"stream", "subjects", "retention", "kept", "for"}, events.Streams(), func(stream events.Stream) []string {
		kept := "until it is done"
		if stream.MaxAge > 0 {
			kept = "at most " + span(stream.MaxAge)
		}
		if stream.MaxBytes > 0 {
			kept += " and " + strconv.FormatInt(stream.MaxBytes>>20, 10) + " MiB"
		}
		if stream.Name == events.StreamResults || stream.Name == events.StreamChunks {
			kept = span(events.DefaultResultTTL) + ", or as asked for, " + kept
		}
		retention := stream.Retention
		if retention == events.RetentionWorkQueue {
			retention = "work queue"
		}
		return []string{code(s.StreamName(stream.Name)), below(s, stream.Subjects), retention, kept, stream.For}
	})
}

func consumersTable() string {
	var s events.Subjects
	return table([]string{"consumer", "stream", "subjects", "read by", "ack wait"}, events.Consumers(), func(c events.Consumer) []string {
		filters := below(s, c.Filters)
		if filters == "" {
			filters = "all"
		}
		return []string{code(c.Name), code(s.StreamName(c.Stream)), filters, c.UsedBy, span(c.AckWait)}
	})
}

func bucketsTable() string {
	var s events.Subjects
	return table([]string{"bucket", "values kept", "for"}, events.Buckets(), func(b events.Bucket) []string {
		kept := strconv.Itoa(int(b.History))
		if b.MaxAge > 0 {
			kept += ", at most " + span(b.MaxAge)
		}
		return []string{code(s.BucketName(b.Name)), kept, b.For}
	})
}

func objectStoresTable() string {
	var s events.Subjects
	return table([]string{"object store", "kept", "for"}, events.ObjectStores(), func(o events.ObjectStore) []string {
		return []string{code(s.BucketName(o.Name)), "at most " + span(o.MaxAge) + " and " + strconv.FormatInt(o.MaxBytes>>20, 10) + " MiB", o.For}
	})
}

func limitsTable() string {
	return table([]string{"what", "at most"}, [][]string{
		{"body of a request, or of an event as it is published", strconv.Itoa(events.MaxBody>>20) + " MiB"},
		{"body of a durable embeddings request", strconv.Itoa(events.MaxDurableBody>>20) + " MiB"},
		{"nesting of JSON arrays and objects, in a request or in the data of an event", strconv.Itoa(events.MaxDepth) + " levels"},
		{"event type", strconv.Itoa(events.MaxTypeLength) + " bytes"},
		{"event id, request id, caller, any other token of ours in a subject", strconv.Itoa(events.MaxIDLength) + " bytes"},
		{"any other CloudEvents attribute", strconv.Itoa(events.MaxAttributeLength) + " bytes"},
		{"texts in one embeddings request", strconv.Itoa(events.MaxInputs)},
		{"texts in one durable embeddings request", strconv.Itoa(events.MaxDurableInputs)},
		{"time in which a repeated " + code(events.HeaderMsgID) + " is recognised", span(events.Streams()[0].Duplicates)},
		{"sign of life of a stream (" + code(events.HeaderKeepaliveMS) + ")", events.MinKeepalive.String() + " to " + events.MaxKeepalive.String()},
		{"window of a stream (" + code(events.HeaderWindow) + ")", strconv.Itoa(events.MaxWindow) + " chunks"},
		{"patience of a caller (" + code(events.HeaderTimeoutMS) + ")", "24 h"},
		{"life of a result (" + code(events.HeaderResultTTL) + ")", span(events.MaxResultTTL)},
	}, func(cells []string) []string { return cells })
}

// schemaLink links a body to its schema.
func schemaLink(value any) string {
	name := bodyName(value)
	return "[" + code(name) + "](../" + schemaDir + "/" + name + ".json)"
}

// bodyName returns the name of a body in the catalogue.
func bodyName(value any) string {
	for _, b := range events.Bodies() {
		if reflect.TypeOf(b.Value) == reflect.TypeOf(value) {
			return b.Name
		}
	}
	return ""
}

// below writes subjects of the catalogue with their prefix.
func below(s events.Subjects, subjects []string) string {
	full := make([]string, len(subjects))
	for i, subject := range subjects {
		full[i] = code(s.Below(subject))
	}
	return strings.Join(full, ", ")
}

// span writes a duration as a person would.
func span(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d%day == 0 && d > day:
		return strconv.Itoa(int(d/day)) + " days"
	case d%time.Hour == 0:
		return strconv.Itoa(int(d/time.Hour)) + " h"
	case d%time.Minute == 0:
		return strconv.Itoa(int(d/time.Minute)) + " min"
	default:
		return strconv.Itoa(int(d/time.Second)) + " s"
	}
}

// yes writes a boolean for a table.
func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
