package watch

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/pace"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/policy"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/tracker"
)

const (
	maxPages = 10 // of one poll, to catch up after a time in which nobody watched
	// maxJobs bounds the attempts of one poll whose jobs are asked for: a request each.
	maxJobs = 20
	// away is the least time in which nobody may have polled a repository before what is found is caught up with.
	away = 15 * time.Minute
)

// pollOne polls a repository, if this replica still leads it.
func (w *Watch) pollOne(ctx context.Context, r Repository) pace.Outcome {
	l := w.leaderOf(r)
	if l == nil {
		return pace.Outcome{Err: events.Errorf(events.CodeCanceled, "another replica leads %s by now", r.Name)}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(l.ctx, cancel)
	defer stop()

	began := time.Now()
	answered := l.takeWaits(r)
	polling, polled := w.spans.poll(ctx, r, len(answered) > 0)
	outcome := l.pollRepository(polling, r)
	polled(outcome)
	if outcome.Err != nil && (ctx.Err() != nil || !l.lease.Valid()) { // it is no fault of the repository's: whoever leads next polls it
		l.putBack(r, answered)
		outcome.Err = events.Errorf(events.CodeCanceled, "the poll was ended: %w", outcome.Err)
		return outcome
	}
	w.metrics.polled(r.Forge, began, outcome)
	w.logPoll(ctx, r, outcome.Err)
	err := l.report(ctx, r, func(known record) record {
		known = known.polled(time.Now(), outcome.Err)
		if branch := l.branches.get(r); branch != "" {
			known.Branch = branch
		}
		for _, id := range answered {
			known = known.answered(id)
		}
		return known
	})
	if err != nil && ctx.Err() == nil {
		w.log.WarnContext(ctx, "what came of a poll could not be written", "subject", r.Name, "err", err)
		l.putBack(r, answered)
	}
	if events.CodeOf(outcome.Err) == events.CodeNotFound {
		w.gone(r)
	}
	return outcome
}

// logPoll logs that polls begin to fail, or do no longer: not each that does.
func (w *Watch) logPoll(ctx context.Context, r Repository, err error) {
	before := w.view.record(r.recordKey()).Code
	switch {
	case err == nil && before != "":
		w.log.InfoContext(ctx, "a repository is polled again", "provider", r.Forge, "subject", r.Name, "code", before)
	case err != nil && before != events.CodeOf(err):
		w.log.WarnContext(ctx, "the poll failed", "provider", r.Forge, "subject", r.Name, "code", events.CodeOf(err), "err", err)
	case err != nil:
		w.log.DebugContext(ctx, "the poll failed again", "provider", r.Forge, "subject", r.Name, "code", events.CodeOf(err), "err", err)
	}
}

// pollRepository asks for the completed runs of a repository and counts those that are new.
func (l *leader) pollRepository(ctx context.Context, r Repository) pace.Outcome {
	f := l.forges[r.Forge]
	defaultBranch, err := l.defaultBranch(ctx, r)
	if err != nil {
		return pace.Outcome{Err: err, Calls: 1}
	}
	listed, err := l.list(ctx, f, r, defaultBranch)
	outcome := pace.Outcome{Err: err, Wait: listed.wait, NotModified: listed.notModified, Calls: listed.calls}
	if err != nil {
		return outcome
	}
	var errs []error
	jobs := allowance{left: maxJobs}
	for _, key := range slices.Sorted(maps.Keys(listed.groups)) {
		changed, err := l.count(ctx, f, key, listed.groups[key], listed.at, &jobs)
		outcome.Changed = outcome.Changed || changed
		errs = append(errs, err)
	}
	outcome.Calls += jobs.used
	outcome.Err = errors.Join(errs...)
	if outcome.Err != nil {
		outcome.Err = events.AsError(outcome.Err)
	}
	return outcome
}

// listing is what a forge lists of a repository, as far as it is new.
type listing struct {
	groups      map[string]group // by the key of the state
	at          time.Time        // when it was asked for
	wait        time.Duration
	notModified bool
	calls       int
}

// group is the runs of one state, and the rule that watches them.
type group struct {
	rule policy.Rule
	runs []forge.Run
}

// list asks for the first page, which is where reruns show too, and for older ones until a page ends with a run that was counted before.
// A workflow that was never seen is not followed into its past.
func (l *leader) list(ctx context.Context, f forge.Forge, r Repository, defaultBranch string) (listing, error) {
	all := listing{groups: map[string]group{}, at: time.Now()}
	query := forge.Query{Repository: r.Name, Branch: l.cfg.Rules.Branch(r.Forge, r.Name, defaultBranch)}
	for query.Page = 1; ; query.Page++ {
		page, err := f.Runs(ctx, query)
		if err != nil {
			return all, err
		}
		if page.Skipped > 0 {
			l.log.WarnContext(ctx, "a forge lists entries that are no completed runs", "provider", r.Forge, "subject", r.Name, "count", page.Skipped)
		}
		all.wait = max(all.wait, page.Wait)
		if query.Page == 1 {
			all.notModified = page.NotModified
		}
		if !page.NotModified {
			all.calls++
		}
		older := l.sort(all.groups, r, page.Runs, defaultBranch)
		switch {
		case !page.More || !older:
			return all, nil
		case query.Page == maxPages:
			l.log.WarnContext(ctx, "too many new runs; the oldest are not counted", "subject", r.Name, "pages", maxPages)
			return all, nil
		}
	}
}

// sort adds the runs of a page that are watched to their groups, and reports whether what is older may be news, too.
func (l *leader) sort(groups map[string]group, r Repository, runs []forge.Run, defaultBranch string) (older bool) {
	oldest := map[string]forge.Run{}
	for _, run := range runs {
		run.Repository = r.Name // which was renamed, perhaps: it is still the one that is watched, and that this replica leads
		rule, ok := l.cfg.Rules.For(r.Forge, run, defaultBranch)
		if !ok {
			continue
		}
		key := stateKey(r.Forge, run)
		g := groups[key]
		if len(g.runs) == 0 { // of runs with several rules, the newest's is that of them all
			g.rule = rule
		}
		g.runs = append(g.runs, run)
		groups[key] = g
		if last, ok := oldest[key]; !ok || forge.Compare(run, last) < 0 {
			oldest[key] = run
		}
	}
	for key, run := range oldest {
		if state, ok := l.view.state(key); ok && state.Begun && !state.Seen(run) {
			older = true
		}
	}
	return older
}

// count takes in what was listed of one workflow, publishes what comes of it, and recovers it if that is to be.
func (l *leader) count(ctx context.Context, f forge.Forge, key string, g group, at time.Time, jobs *allowance) (changed bool, err error) {
	before, known := l.view.state(key)
	if known && before.Begun && len(before.Pending) == 0 && !slices.ContainsFunc(g.runs, func(run forge.Run) bool { return !before.Seen(run) }) {
		return false, l.act(ctx, key, g.rule) // what was decided and not done, if there is any
	}
	if err := l.confirm(ctx, key, g.rule); err != nil {
		return false, err
	}
	if !known {
		before = tracker.New(identityOf(f.Name(), g.runs[0]))
	}
	wanted := l.jobs(ctx, f, before.Listed(g.runs, at).Wanting(), jobs)
	if err := ctx.Err(); err != nil {
		return false, err // whoever leads next asks for the jobs that are missing
	}
	rules := g.rule.Tracker()
	now := time.Now()
	last := l.view.record(Repository{Forge: f.Name(), Name: g.runs[0].Repository}.recordKey()).PolledAt
	after, err := l.change(ctx, key, identityOf(f.Name(), g.runs[0]), func(s tracker.State) (tracker.State, []tracker.Event) {
		s = s.Listed(g.runs, at)
		for _, attempt := range wanted {
			s = s.NoteJobs(attempt.run, attempt.jobs)
		}
		if !s.Begun {
			s = s.Begin(l.started, rules)
		}
		if !last.IsZero() && at.Sub(last) > l.away() {
			s = s.Resume(at)
		}
		return advance(s, g.rule, at.Add(-l.cfg.Settle), now) // what was told since then may not be listed yet, nor what ended before it
	})
	if err != nil {
		return false, err
	}
	changed = l.counted(ctx, before, after, g.runs)
	return changed, l.act(ctx, key, g.rule)
}

// away is how long nobody may have polled a repository before what is found is caught up with, and not news.
func (w *Watch) away() time.Duration { return max(away, 2*w.cfg.Pace.Interval, 2*w.cfg.Pace.Max) }

// attempt is an attempt that failed, and its jobs.
type attempt struct {
	run  forge.Run
	jobs []forge.Job
}

// allowance is how many requests for jobs may be made, and how many were.
type allowance struct{ left, used int }

// jobs asks for the jobs of attempts that failed, as long as there are requests left: of the newest first, which is the one that is recovered, and
// then of the others as they are told. That the forge does not say holds up nothing.
func (l *leader) jobs(ctx context.Context, f forge.Forge, runs []forge.Run, left *allowance) []attempt {
	if last := len(runs) - 1; last > 0 {
		runs = slices.Insert(runs[:last:last], 0, runs[last])
	}
	var all []attempt
	for _, run := range runs {
		if left.left <= 0 || ctx.Err() != nil {
			break
		}
		left.left--
		left.used++
		jobs, err := f.Jobs(ctx, run)
		switch {
		case err == nil:
			all = append(all, attempt{run: run, jobs: jobs})
		case events.CodeOf(err) == events.CodeNotFound: // they were deleted
			l.log.DebugContext(ctx, "the jobs of a failed run are gone", "provider", f.Name(), "subject", run.Repository, "run_id", run.ID)
		default:
			l.log.WarnContext(ctx, "the jobs of failed runs are not known", "provider", f.Name(), "subject", run.Repository, "run_id", run.ID, "err", err)
			left.left = 0 // the next would not be told either
			return all
		}
	}
	return all
}

// advance lets a state consume what has settled, and decides what is to be done about it.
func advance(s tracker.State, rule policy.Rule, settled, now time.Time) (tracker.State, []tracker.Event) {
	s, out := s.Advance(rule.Tracker(), settled, now)
	s, more := decide(s, rule, now, "")
	return s, append(out, more...)
}
