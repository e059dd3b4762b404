package events_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

func TestTypes(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, et := range events.Types() {
		wantEqual(t, "seen before", seen[et.Name], false)
		seen[et.Name] = true
		wantEqual(t, "type of the payload", et.Payload.EventType(), et.Name)
		wantEqual(t, "schema", events.SchemaURI(et.Name), "urn:mlsdm:schema:v1:"+et.Name)
		if et.Publisher == "" || et.When == "" || strings.HasPrefix(et.Name, events.CustomPrefix) {
			t.Fatalf("%s is not described, or in the users' part", et.Name)
		}
		got, ok := events.FindType(et.Name)
		wantEqual(t, "found", ok && got.Name == et.Name, true)
		echo := strings.HasPrefix(et.Name, "delivery.") || strings.HasPrefix(et.Name, "endpoint.")
		wantEqual(t, et.Name+" no echo", et.NoEcho, echo)
	}
	// The values of the Python integrations.
	for _, name := range []string{
		"moral_filter.reject", "moral_filter.accept", "system.emergency_shutdown", "system.recovery_triggered",
		"memory.threshold_exceeded", "request.processed",
	} {
		wantEqual(t, name, seen[name], true)
	}
	if _, ok := events.FindType("custom.x"); ok || events.SchemaURI("custom.x") != "" {
		t.Fatal("users' types have no schema of ours")
	}
}

func TestOperations(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	bodies := map[reflect.Type]bool{}
	for _, b := range events.Bodies() {
		bodies[reflect.TypeOf(b.Value)] = true
	}
	for _, op := range events.Operations() {
		wantEqual(t, "seen before", seen[op.Name], false)
		seen[op.Name] = true
		for _, body := range []any{op.Request, op.Response} {
			wantEqual(t, reflect.TypeOf(body).Name()+" in the catalogue of bodies", bodies[reflect.TypeOf(body)], true)
		}
		wantNoError(t, events.CheckType(op.Name))
		// A stream that captured the subject would answer in the service's place.
		for _, s := range events.Streams() {
			for _, filter := range s.Subjects {
				for _, subject := range []string{op.Name, "as.shop." + op.Name} {
					wantEqual(t, subject+" in "+s.Name, overlaps(filter, subject), false)
				}
			}
		}
	}
}

func TestStreamsAndConsumers(t *testing.T) {
	t.Parallel()
	filters := map[string][]string{}
	for _, s := range events.Streams() {
		wantEqual(t, s.Name+" seen before", filters[s.Name] != nil, false)
		filters[s.Name] = s.Subjects
		wantEqual(t, s.Name+" described", s.For != "" && len(s.UsedBy) > 0 && s.Duplicates > 0, true)
	}
	for name, subjects := range filters { // JetStream refuses two streams that share a subject
		for other, others := range filters {
			for _, a := range subjects {
				for _, b := range others {
					wantEqual(t, name+" "+a+" overlaps "+other+" "+b, name != other && overlaps(a, b), false)
				}
			}
		}
	}
	var s events.Subjects
	for subject, stream := range map[string]string{
		s.Event("custom.x"): events.StreamEvents, s.Request("", "embed"): events.StreamRequests, s.Request("shop", "generate"): events.StreamRequests,
		s.Result("", "1"): events.StreamResults, s.DeliveryReady("e"): events.StreamDeliveries, s.DeliveryLater("d"): events.StreamWaiting,
		s.Attempts("e"): events.StreamAttempts, s.DeadEvent(): events.StreamDeadLetters, s.DeadRequest("embed"): events.StreamDeadLetters,
		s.DeadDelivery(events.FaultReceiver, "e"): events.StreamDeadLetters, s.DeliveryAgain("e"): events.StreamWaiting,
		s.Limit("requests", "r", "s", "0"): events.StreamLimits, s.Budget("r", "s", "0"): events.StreamBudgets,
	} {
		relative := strings.TrimPrefix(subject, "mlsdm.")
		if !slices.ContainsFunc(filters[stream], func(f string) bool { return overlaps(f, relative) }) {
			t.Errorf("%s is not in %s", subject, stream)
		}
	}
	for _, c := range events.Consumers() {
		for _, f := range c.Filters {
			if !slices.ContainsFunc(filters[c.Stream], func(s string) bool { return overlaps(s, f) }) {
				t.Errorf("consumer %s filters %s, which is not in %s", c.Name, f, c.Stream)
			}
		}
	}
	for _, b := range events.Buckets() {
		wantEqual(t, b.Name+" history", b.History >= 1 && b.History <= 64, true)
	}
}

// overlaps reports whether a subject can match both patterns.
func overlaps(a, b string) bool {
	as, bs := strings.Split(a, "."), strings.Split(b, ".")
	for i := range min(len(as), len(bs)) {
		if as[i] == ">" || bs[i] == ">" {
			return true
		}
		if as[i] != bs[i] && as[i] != "*" && bs[i] != "*" {
			return false
		}
	}
	return len(as) == len(bs)
}

func TestHeadersAreAllInTheCatalogue(t *testing.T) {
	t.Parallel()
	have := map[string]bool{}
	for _, h := range events.Headers() {
		wantEqual(t, h.Name+" seen before", have[h.Name], false)
		wantEqual(t, h.Name+" described", h.On != "" && h.Means != "", true)
		have[strings.TrimSuffix(h.Name, "*")] = true
	}
	file, err := parser.ParseFile(token.NewFileSet(), "headers.go", nil, 0)
	wantNoError(t, err)
	constants := 0
	for _, decl := range file.Decls {
		group, ok := decl.(*ast.GenDecl)
		if !ok || group.Tok != token.CONST {
			continue
		}
		for _, spec := range group.Specs {
			constant, ok := spec.(*ast.ValueSpec)
			if !ok || !strings.HasPrefix(constant.Names[0].Name, "Header") {
				continue
			}
			literal, ok := constant.Values[0].(*ast.BasicLit)
			wantEqual(t, "literal", ok, true)
			name, err := strconv.Unquote(literal.Value)
			wantNoError(t, err)
			wantEqual(t, name+" in events.Headers()", have[name], true)
			constants++
		}
	}
	wantEqual(t, "number of headers", constants, len(have))
}
