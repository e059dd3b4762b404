package hooks

import (
	"context"
	"errors"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// serve is the door's [http.Handler].
func (d *Door) serve(w http.ResponseWriter, r *http.Request) {
	if !d.inside.enter() {
		return // and the connection is closed
	}
	defer d.inside.leave()
	began := time.Now()
	var done result
	if source := d.sources[r.URL.Path]; source == nil {
		done.outcome = notFound
	} else {
		done = d.receive(w, r, source, began)
		done.forge = source.Forge
	}
	d.metrics.answered(done, time.Since(began))
	if !done.wholly {
		done.leave(w, r)
	}
	done.write(w)
}

// leave makes an end of a request whose body was not read to its end. The server reads what is left of a small one, for a moment, so that the
// connection can be used again. Otherwise the connection is closed, when whoever sends has had a moment to read the answer.
func (r result) leave(w http.ResponseWriter, req *http.Request) {
	switch {
	case r.outcome == slow, r.outcome == full, r.outcome == broken, r.outcome == tooLarge, req.ContentLength < 0, req.ContentLength > smallBody:
		w.Header().Set("Connection", "close")
	}
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(linger)) // it fails when the connection is closed, which is as good
}

// receive takes in a request that a source may have sent.
func (d *Door) receive(w http.ResponseWriter, r *http.Request, source *Source, began time.Time) result {
	switch {
	case r.Method != http.MethodPost:
		return result{outcome: wrongMethod}
	case !isJSON(r.Header):
		return result{outcome: wrongType}
	case r.ContentLength > int64(d.bounds.Body):
		return result{outcome: tooLarge}
	case !source.glance(r.Header):
		return result{outcome: unsigned}
	}
	b := d.newBody(w, r)
	defer b.close()
	if err := b.read(); err != nil {
		return result{outcome: unreadable(err)}
	}
	if !source.Verify(r.Header, b.bytes()) {
		d.refused.Do(func() {
			d.log.WarnContext(r.Context(), "a webhook is refused: it is not signed with a secret that is known here", "forge", source.Forge)
		})
		return result{outcome: unsigned, wholly: true}
	}
	proven(r.Context())
	return d.take(r, source, b, began)
}

// unreadable is the outcome of a body that could not be read.
func unreadable(err error) outcome {
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return tooLarge
	case errors.Is(err, errSlow):
		return slow
	case errors.Is(err, errFull):
		return full
	default:
		return broken
	}
}

// take takes in a request that is signed.
func (d *Door) take(r *http.Request, source *Source, b *body, began time.Time) result {
	event, named := source.event(r.Header)
	id, identified := source.delivery(r.Header)
	done := result{event: source.label(event), wholly: true}
	ctx, span := d.tracer.Start(r.Context(), "POST "+r.URL.Path, trace.WithSpanKind(trace.SpanKindServer), trace.WithTimestamp(began))
	defer span.End()
	switch {
	case !named:
		done.outcome = noEvent
	case !identified:
		done.outcome = noDelivery
	case event == source.Ping:
		done.outcome = ping
	default:
		done.outcome, done.stored = d.tell(ctx, source, event, id, b)
	}
	if span.IsRecording() {
		status, _, _ := done.outcome.answer()
		span.SetAttributes(
			attribute.String("http.request.method", http.MethodPost), attribute.String("http.route", r.URL.Path),
			attribute.String("url.path", r.URL.Path), attribute.String("url.scheme", scheme(r)),
			attribute.Int("http.response.status_code", status),
			attribute.String("mlsdm.ci.forge", source.Forge), attribute.String("mlsdm.ci.webhook", done.event),
			attribute.String("mlsdm.ci.outcome", string(done.outcome)),
		)
		if status >= http.StatusInternalServerError {
			span.SetAttributes(attribute.String("error.type", strconv.Itoa(status)))
			span.SetStatus(codes.Error, string(done.outcome))
		}
	}
	return done
}

// scheme is how a request came in.
func scheme(r *http.Request) string {
	if r.TLS != nil {
		return "https"
	}
	return "http"
}

// tell stores what a webhook tells, and returns how many sightings that is.
func (d *Door) tell(ctx context.Context, source *Source, event, id string, b *body) (outcome, int) {
	sightings, err := source.Read(event, b.bytes())
	b.close() // what waits from now on holds no body
	if err != nil {
		return malformed, 0
	}
	if len(sightings) == 0 {
		return ignored, 0
	}
	watched := sightings[:0]
	for _, s := range sightings {
		if d.cfg.Accepts == nil || d.cfg.Accepts(source.Forge, s.Repository) {
			watched = append(watched, s)
		}
	}
	if len(watched) == 0 {
		return unwatched, 0
	}
	if o := d.store(ctx, source, id, watched); o != accepted {
		return o, 0
	}
	return accepted, len(watched)
}

// isJSON reports whether a request says, once, that its body is JSON, and not that it is compressed.
func isJSON(h http.Header) bool {
	text, ok := once(h, "Content-Type")
	if !ok || len(h.Values("Content-Encoding")) > 0 {
		return false
	}
	kind, parameters, err := mime.ParseMediaType(text)
	charset := parameters["charset"]
	return err == nil && kind == "application/json" && (charset == "" || strings.EqualFold(charset, "utf-8"))
}
