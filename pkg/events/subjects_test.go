package events_test

import (
	"strings"
	"testing"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

func TestSubjects(t *testing.T) {
	t.Parallel()
	other, err := events.NewSubjects("acme-2")
	wantNoError(t, err)
	for _, s := range []events.Subjects{{}, other} {
		p := s.Prefix()
		for got, want := range map[string]string{
			s.Event("ci.degraded"):                           p + ".events.ci.degraded",
			s.Interactive("", "embed"):                       p + ".embed",
			s.Interactive("default", "ci.status"):            p + ".ci.status",
			s.Interactive("shop", "webhooks.endpoints.list"): p + ".as.shop.webhooks.endpoints.list",
			s.Request("", "embed"):                           p + ".requests.embed",
			s.Request("shop", "generate"):                    p + ".as.shop.requests.generate",
			s.Secret("shop"):                                 p + ".as.shop.secrets.get",
			s.Result("", "42"):                               p + ".results.default.42",
			s.Result("shop", "r-1"):                          p + ".results.shop.r-1",
			s.Cancel("", "r-1"):                              p + ".cancel.r-1",
			s.Cancel("shop", "r-1"):                          p + ".as.shop.cancel.r-1",
			s.StreamControl("default", "x", "1"):             p + ".streams.x.1",
			s.StreamControl("shop", "x", "1"):                p + ".as.shop.streams.x.1",
			s.Chunks("", "42"):                               p + ".chunks.default.42",
			s.Chunks("shop", "r-1"):                          p + ".chunks.shop.r-1",
			s.DeliveryReady("default"):                       p + ".deliveries.ready.default",
			s.DeliveryLater("abc"):                           p + ".deliveries.later.abc",
			s.Attempts("default"):                            p + ".attempts.default",
			s.DeadEvent():                                    p + ".deadletters.events",
			s.DeadRequest("embed"):                           p + ".deadletters.requests.embed",
			s.DeliveryAgain("default"):                       p + ".deliveries.again.default",
			s.DeadDelivery(events.FaultReceiver, "default"):  p + ".deadletters.deliveries.receiver.default",
			s.CacheDeleted("embedder"):                       p + ".cache.deleted.embedder",
			s.CacheClear("generator", "chat"):                p + ".cache.clear.generator.chat",
			s.Control("embedder", events.ControlLogLevel):    p + ".control.embedder.log_level",
			s.Hops():         p + ".trace.hops",
			s.AuditSecrets(): p + ".audit.secrets",
			s.Below("x.y"):   p + ".x.y",
		} {
			wantEqual(t, "subject", got, want)
		}
	}
	wantEqual(t, "stream", other.StreamName(events.StreamEvents), "ACME-2_EVENTS")
	wantEqual(t, "bucket", other.BucketName(events.BucketCI), "acme-2_ci")
	wantEqual(t, "stream", events.Subjects{}.StreamName(events.StreamEvents), "MLSDM_EVENTS")
}

func TestNewSubjects(t *testing.T) {
	t.Parallel()
	s, err := events.NewSubjects("")
	wantNoError(t, err)
	wantEqual(t, "prefix", s.Prefix(), events.DefaultPrefix)
	// Two prefixes that only differ in what streams and buckets cannot tell apart would share their streams.
	for _, prefix := range []string{"a.b", "a b", "a*", ">", "é", "Acme", "a:b", "$JS", "_INBOX", strings.Repeat("a", 33), "a\x00"} {
		_, err := events.NewSubjects(prefix)
		wantError(t, err, events.CodeInvalidArgument, "prefix")
	}
}

func TestReadingSubjects(t *testing.T) {
	t.Parallel()
	var s events.Subjects
	for subject, want := range map[string]string{
		"mlsdm.embed":                   "default",
		"mlsdm.as.shop.embed":           "shop",
		"mlsdm.as.shop.requests.embed":  "shop",
		"mlsdm.as.default.embed":        "default",
		"mlsdm.as.shop":                 "default",
		"mlsdm.as..embed":               "default",
		"other.as.shop.embed":           "default",
		"mlsdm.requests.as.shop.x":      "default",
		"mlsdm.as.as.as.embed":          "as",
		"mlsdm.as.shop.as.other.embed":  "shop",
		"mlsdmx.as.shop.embed":          "default",
		"":                              "default",
		"mlsdm.as.a-very_odd!one.embed": "a-very_odd!one",
	} {
		wantEqual(t, "caller of "+subject, s.Caller(subject), want)
	}
	for subject, want := range map[string]string{
		"mlsdm.events.ci.degraded": "ci.degraded", "mlsdm.events.x": "x", "mlsdm.events.": "",
	} {
		got, ok := s.EventType(subject)
		wantEqual(t, "ok", ok, true)
		wantEqual(t, "type of "+subject, got, want)
	}
	for _, subject := range []string{"mlsdm.events", "mlsdm.event.x", "other.events.x", ""} {
		if got, ok := s.EventType(subject); ok {
			t.Fatalf("%q is no event subject, got %q", subject, got)
		}
	}
}

func TestCheckToken(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"a", "default", "A-b_c", "0", "a/b:c@d", "$x", "~!#%&", strings.Repeat("x", events.MaxIDLength)} {
		wantNoError(t, events.CheckToken("caller", good))
	}
	for bad, word := range map[string]string{
		"": "empty", "a.b": "byte 1", "*": "byte 0", ">": "byte 0", "a b": "byte 1", "a\tb": "byte 1", "a\x00": "byte 1",
		"é": "byte 0", "\x7f": "byte 0", "a\xff": "byte 1", strings.Repeat("x", events.MaxIDLength+1): "129 bytes",
	} {
		wantError(t, events.CheckToken("caller", bad), events.CodeInvalidArgument, "caller", word)
	}
}

func TestCheckType(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"a", "ci.degraded", "custom.A-b_0.v2", "0", "-", strings.Repeat("x", events.MaxTypeLength)} {
		wantNoError(t, events.CheckType(good))
	}
	for _, et := range events.Types() {
		wantNoError(t, events.CheckType(et.Name))
	}
	for bad, word := range map[string]string{
		"": "no type", ".a": "byte 0", "a.": "ends in a dot", "a..b": "byte 2", "a b": "byte 1", "a.*": "byte 2", "a.>": "byte 2",
		"é": "byte 0", "a\n": "byte 1", "a/b": "byte 1", ".": "byte 0", strings.Repeat("x", events.MaxTypeLength+1): "129 bytes",
	} {
		wantError(t, events.CheckType(bad), events.CodeInvalidArgument, word)
	}
}

func TestCheckID(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"1", "deploy 42/é", "a.b.*", strings.Repeat("x", events.MaxIDLength), "😀"} {
		wantNoError(t, events.CheckID("id", good))
	}
	for bad, word := range map[string]string{
		"": "empty", "a\nb": "byte 1", "a\x7f": "byte 1", "a\u0085": "byte 1", "\xff": "UTF-8", strings.Repeat("x", events.MaxIDLength+1): "129 bytes",
	} {
		wantError(t, events.CheckID("id", bad), events.CodeInvalidArgument, "id", word)
	}
}
