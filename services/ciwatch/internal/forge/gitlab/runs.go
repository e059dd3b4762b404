package gitlab

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge/rest"
)

const (
	runsPerPage = 30   // small answers stay unchanged longer, and 30 pipelines reach back far enough to see them retried
	runSize     = 1024 // bytes that a run takes in memory, roughly
)

// pipelinesPage is what is kept of a list of pipelines.
type pipelinesPage struct {
	pipelines []wirePipeline
	more      bool
}

func (p *pipelinesPage) size() int { return len(p.pipelines) * runSize }

// Runs implements [forge.Forge]: GET /projects/:id/pipelines?scope=finished, and GET /projects/:id/pipelines/:pipeline_id for those that
// are new or have changed. Pipelines that were skipped or wait for somebody, and those that are part of another one, are not listed.
// Narrowed to a branch, the list has no pipelines of merge requests.
func (f *Forge) Runs(ctx context.Context, q forge.Query) (forge.Page, error) {
	query := url.Values{"scope": {"finished"}, "order_by": {"id"}, "sort": {"desc"}, "per_page": {strconv.Itoa(runsPerPage)}}
	if q.Branch != "" {
		if err := rest.CheckBranch(q.Branch); err != nil {
			return forge.Page{}, err
		}
		query.Set("ref", q.Branch)
	}
	if q.Page > 1 {
		query.Set("page", strconv.Itoa(q.Page))
	}
	r, err := f.askAbout(ctx, q.Repository, request{
		method: http.MethodGet, path: "/pipelines", query: query, what: "the pipelines of " + q.Repository, read: readPipelines, keep: true,
	})
	if err != nil {
		return forge.Page{}, err
	}
	list := r.value.(*pipelinesPage) //nolint:errcheck,forcetypeassert // it is what read made
	page := forge.Page{Runs: make([]forge.Run, 0, len(list.pipelines)), More: list.more, NotModified: r.unchanged}
	for _, entry := range list.pipelines {
		d, asked, err := f.detail(ctx, q.Repository, entry)
		if asked {
			page.NotModified = false
		}
		switch {
		case err != nil:
			return forge.Page{}, err
		case !d.usable:
			page.Skipped++
		case d.run.Done: // otherwise it was retried just now
			page.Runs = append(page.Runs, d.run)
		}
	}
	return page, nil
}

// askAbout asks about a project.
func (f *Forge) askAbout(ctx context.Context, repository string, req request) (*reply, error) {
	if err := checkRepository(repository); err != nil {
		return nil, err
	}
	req.repository, req.scope = repository, strings.ToLower(repository)
	return f.ask(ctx, req)
}

// readPipelines reads a list of pipelines.
func readPipelines(r *reply) (value, error) {
	var pipelines []wirePipeline
	if err := json.Unmarshal(r.body, &pipelines); err != nil {
		return nil, err
	}
	if pipelines == nil || len(pipelines) > 100 {
		return nil, errShape
	}
	return &pipelinesPage{pipelines: pipelines, more: hasNext(r.header)}, nil
}

// hasNext reports whether the Link header names a next page.
func hasNext(h http.Header) bool {
	for _, header := range h.Values("Link") {
		for link := range strings.SplitSeq(header, ",") {
			if _, parameters, ok := strings.Cut(link, ">"); ok && strings.Contains(parameters, `rel="next"`) {
				return true
			}
		}
	}
	return false
}

// detail is what is known of a pipeline. One that is not usable is kept, too, so that it is not asked for again.
type detail struct {
	run    forge.Run
	usable bool
}

func (*detail) size() int { return runSize }

// detail returns what is known of a pipeline that was listed, and whether it had to be asked for.
func (f *Forge) detail(ctx context.Context, repository string, entry wirePipeline) (d *detail, asked bool, err error) {
	if entry.ID <= 0 {
		return &detail{}, false, nil
	}
	key := "pipeline " + strconv.FormatInt(entry.ID, 10) + " of " + strings.ToLower(repository)
	if known, mark := f.answers.get(key); mark != "" && mark == entry.mark() {
		return known.(*detail), false, nil //nolint:errcheck,forcetypeassert // it is what is put below
	}
	wire, err := f.pipeline(ctx, repository, entry.ID)
	switch events.CodeOf(err) {
	case "":
	case events.CodeNotFound: // it was deleted since
		return &detail{}, true, nil
	default:
		return nil, true, err
	}
	run, err := f.resolve(ctx, repository, wire)
	if err != nil && !errors.Is(err, errUnclear) && !errors.Is(err, errIDs) {
		return nil, true, err
	}
	d = &detail{run: run, usable: err == nil}
	if mark := wire.mark(); mark != "" && (run.Done || !d.usable) {
		f.answers.put(key, mark, d)
	}
	return d, true, nil
}

// mark is what changes when a pipeline does; empty when it is not told.
func (w *wirePipeline) mark() string {
	if w.UpdatedAt.IsZero() {
		return ""
	}
	return w.UpdatedAt.Format(time.RFC3339) + " " + w.Status
}
