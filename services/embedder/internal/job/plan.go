package job

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/neuron7x/mlsdm-integrations/internal/door"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// piece is a stored part, and what of it counts: what others have, too, is skipped.
type piece struct {
	subject      string
	first, count int // texts that it has
	attempt      int // in which it was made
	skip         int // texts at its beginning that the one before has
}

// gap is a row of texts that no part has.
type gap struct{ first, count int }

// token names a part: <identity>-<first text>-<number of texts>-<attempt>.
func token(id identity, first, count, attempt int) string {
	return id.token() + "-" + strconv.Itoa(first) + "-" + strconv.Itoa(count) + "-" + strconv.Itoa(attempt)
}

// parse reads the subject of a part of a request with so many texts; false for what is another's.
func parse(id identity, subject string, texts int) (piece, bool) {
	fields := strings.Split(subject[strings.LastIndexByte(subject, '.')+1:], "-")
	const want = 4
	if len(fields) != want || fields[0] != id.token() {
		return piece{}, false
	}
	first, errFirst := strconv.Atoi(fields[1])
	count, errCount := strconv.Atoi(fields[2])
	attempt, isPart := attemptOf(subject)
	if errFirst != nil || errCount != nil || !isPart || first < 0 || count < 1 || first > texts || count > texts-first {
		return piece{}, false
	}
	return piece{subject: subject, first: first, count: count, attempt: attempt}, true
}

// attemptOf reads from the subject of a part in which attempt it was made.
func attemptOf(subject string) (int, bool) {
	attempt, err := strconv.Atoi(subject[strings.LastIndexByte(subject, '-')+1:])
	return attempt, err == nil && attempt > 0
}

// list looks which parts there are, in the order of their texts, and what is missing. It takes one look at the subjects.
func (r *run) list(ctx context.Context) (pieces []piece, missing []gap, err error) {
	subjects, err := r.jobs.parts(ctx, r.req.Call)
	if err != nil {
		return nil, nil, err
	}
	found := make([]piece, 0, len(subjects))
	for _, subject := range subjects {
		if p, ok := parse(r.identity, subject, len(r.req.Texts)); ok {
			found = append(found, p)
		}
	}
	pieces, missing = arrange(found, len(r.req.Texts))
	return pieces, missing, nil
}

// parts returns the subjects of what is kept under a request's name.
func (j *Jobs) parts(ctx context.Context, call *door.Call) ([]string, error) {
	s := j.bus.Subjects()
	return j.bus.StreamSubjects(ctx, s.StreamName(events.StreamParts), s.Part(call.Caller, call.ID, "*"))
}

// arrange puts parts in the order of their texts, leaves out those whose texts others have, and tells what no part has. Two who worked
// on a request at the same time, or with calls of different sizes, leave parts that overlap.
func arrange(found []piece, texts int) (pieces []piece, missing []gap) {
	slices.SortFunc(found, func(a, b piece) int {
		return cmp.Or(cmp.Compare(a.first, b.first), cmp.Compare(b.count, a.count), cmp.Compare(a.attempt, b.attempt))
	})
	next := 0
	for _, p := range found {
		end := p.first + p.count
		if end <= next {
			continue
		}
		if p.first > next {
			missing = append(missing, gap{next, p.first - next})
		}
		p.skip = max(next-p.first, 0)
		pieces, next = append(pieces, p), end
	}
	if next < texts {
		missing = append(missing, gap{next, texts - next})
	}
	return pieces, missing
}

// covered counts the texts that have their part.
func covered(pieces []piece) int {
	n := 0
	for _, p := range pieces {
		n += p.count - p.skip
	}
	return n
}

// cut divides gaps into calls.
func cut(missing []gap, size int) []gap {
	var calls []gap
	for _, g := range missing {
		for g.count > 0 {
			n := min(g.count, size)
			calls = append(calls, gap{g.first, n})
			g.first, g.count = g.first+n, g.count-n
		}
	}
	return calls
}
