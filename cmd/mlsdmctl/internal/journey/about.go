package journey

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// about says in a line what an event of ours tells.
func about(e *Event) string {
	t := e.tells
	var parts []string
	add := func(format string, args ...any) { parts = append(parts, fmt.Sprintf(format, args...)) }
	switch {
	case e.Type == events.TypeRequestProcessed:
		add("%s %s in %s", t.Kind, t.Outcome, millis(t.LatencyMS))
		if t.Code != "" {
			add("%s", t.Code)
		}
		switch {
		case t.AnsweredBy != "" && t.AnsweredBy != t.Model:
			add("%s by %s", t.Model, t.AnsweredBy)
		case t.Model != "":
			add("%s", t.Model)
		}
		if t.Attempts > 0 {
			add("%s to providers", count(t.Attempts, "request"))
		}
		if t.Cached {
			add("out of the cache")
		}
		if t.Door == events.DoorInteractive {
			add("interactive, asked by %s", t.Caller)
		}
	case e.Type == events.TypeMoralFilterReject, e.Type == events.TypeMoralFilterAccept:
		add("%s", t.Stage)
		if t.Score != nil {
			add("score %.2f of %.2f", *t.Score, t.Threshold)
		}
		if t.Reason != "" {
			add("%s", t.Reason)
		}
	case strings.HasPrefix(e.Type, "ci."):
		add("%s %s", t.Repository, t.Workflow)
		if t.Branch != "" {
			add("on %s", t.Branch)
		}
		if t.RunID != 0 {
			add("run %d", t.RunID)
		}
		if t.Conclusion != "" {
			add("%s", t.Conclusion)
		}
	default:
		for _, text := range []string{t.Service, t.EndpointID, t.Reason} {
			if text != "" {
				add("%s", text)
			}
		}
	}
	return strings.Join(parts, ", ")
}

// millis writes a number of milliseconds.
func millis(ms float64) string {
	switch {
	case ms < 0:
		return "0 ms"
	case ms < 10:
		return strconv.FormatFloat(ms, 'f', 1, 64) + " ms"
	case ms < 1000:
		return strconv.FormatFloat(ms, 'f', 0, 64) + " ms"
	default:
		return strconv.FormatFloat(ms/1000, 'f', 2, 64) + " s"
	}
}

// count writes a number of things.
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return thousands(n) + " " + thing + "s"
}

// thousands writes a number with commas.
func thousands(n int) string {
	text := strconv.Itoa(n)
	for at := len(text) - 3; at > 0; at -= 3 {
		text = text[:at] + "," + text[at:]
	}
	return text
}
