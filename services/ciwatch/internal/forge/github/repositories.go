package github

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge/rest"
)

const (
	repositoriesPerPage = 100
	maxUsers            = 4096
)

// namesPage is what is kept of a list of repositories.
type namesPage struct {
	names []string
	more  bool
}

func (p *namesPage) size() int { return len(p.names) * 64 }

// Repositories implements [forge.Forge]: GET /orgs/{owner}/repos or, when there is no such organisation, GET /users/{owner}/repos,
// which tells what is public only.
func (f *Forge) Repositories(ctx context.Context, owner string, page int) (names []string, more bool, err error) {
	if !isSegment(owner) {
		return nil, false, events.Errorf(events.CodeInvalidArgument, "the owner is %q; it must be made of A-Z a-z 0-9 _ . -", rest.Clip(owner))
	}
	f.mu.Lock()
	user := f.users[strings.ToLower(owner)]
	f.mu.Unlock()
	if !user {
		names, more, err = f.repositories(ctx, "orgs", owner, page)
		if events.CodeOf(err) != events.CodeNotFound {
			return names, more, err
		}
	}
	names, more, err = f.repositories(ctx, "users", owner, page)
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.users) >= maxUsers {
		clear(f.users)
	}
	f.users[strings.ToLower(owner)] = err == nil // else it may be an organisation after all
	return names, more, err
}

// repositories asks for a page of an owner of one kind.
func (f *Forge) repositories(ctx context.Context, kind, owner string, page int) (names []string, more bool, err error) {
	query := url.Values{"per_page": {strconv.Itoa(repositoriesPerPage)}, "sort": {"full_name"}}
	if page > 1 {
		query.Set("page", strconv.Itoa(page))
	}
	r, err := f.ask(ctx, request{
		method: http.MethodGet, path: kind + "/" + owner + "/repos", query: query, scope: kind + "/" + strings.ToLower(owner),
		what: "the repositories of " + owner, read: readNames,
	})
	if err != nil {
		return nil, false, err
	}
	list := r.value.(*namesPage) //nolint:errcheck,forcetypeassert // it is what read made
	return slices.Clone(list.names), list.more, nil
}

// readNames reads a list of repositories, and leaves out those that nothing runs in any more.
func readNames(r *reply) (value, error) {
	var body []wireRepository
	if err := json.Unmarshal(r.body, &body); err != nil {
		return nil, err
	}
	if body == nil || len(body) > repositoriesPerPage {
		return nil, errShape
	}
	page := &namesPage{more: hasNext(r.header)}
	for _, repository := range body {
		if isRepository(repository.FullName) && !repository.Archived && !repository.Disabled {
			page.names = append(page.names, repository.FullName)
		}
	}
	return page, nil
}
