package gitlab

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/url"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge/rest"
)

// request is a question or an order.
type request struct {
	method string
	// path is the escaped path below the API's base, or below the project, if there is one.
	path       string
	repository string
	query      url.Values
	body       []byte
	// scope is whom a credential has to see: the project, or an owner.
	scope string
	// what says in errors what is asked for.
	what string
	// read makes a value of a good answer; its error is that of an answer which is none. It is nil where the status says all.
	read func(r *reply) (value, error)
	// keep says that the answer is kept with its ETag, since it is asked for again.
	keep bool
}

// reply is an answer as it came.
type reply struct {
	status int
	header http.Header
	body   []byte
	// token is what it was asked with, and by whose.
	token secret.Value
	by    string
	// value is what was read of it; unchanged says that it is that of an earlier answer.
	value     value
	unchanged bool
}

// ask makes a request with one credential after the other until one gets an answer. Its errors are events.Error.
func (f *Forge) ask(ctx context.Context, req request) (*reply, error) {
	var (
		tried   = map[*credential]bool{}
		blind   []*credential
		failure *events.Error
	)
	for {
		c, err := f.choose(req.scope, tried)
		if err != nil {
			return nil, rest.Worse(failure, err)
		}
		tried[c] = true
		r, why, err := f.askAs(ctx, c, req)
		if err == nil {
			f.cannotSee(blind, req.scope)
			return r, nil
		}
		failure = rest.Worse(failure, err)
		switch why {
		case hidden:
			blind = append(blind, c)
		case refused, limited:
		case fine:
			return nil, failure
		}
	}
}

// askAs makes a request with a credential. Of a failure, it tells what it means for the credential.
func (f *Forge) askAs(ctx context.Context, c *credential, req request) (*reply, verdict, *events.Error) {
	token, failure := c.token()
	if failure != nil {
		c.setAside(f.now(), "", failure)
		return nil, refused, failure
	}
	r, err := f.exchange(ctx, c, token, req)
	if err == nil && r.status == http.StatusUnauthorized {
		if fresh, ok := c.renewed(ctx, token); ok {
			token = fresh
			r, err = f.exchange(ctx, c, fresh, req)
		}
	}
	if err != nil {
		return nil, fine, f.exchangeFailure(ctx, withoutSecret(err, token))
	}
	return f.weigh(c, r, req)
}

// weigh draws the consequences of an answer for the credential that it was given to.
func (f *Forge) weigh(c *credential, r *reply, req request) (*reply, verdict, *events.Error) {
	now, why := f.now(), judge(r)
	switch why {
	case refused:
		failure := f.statusFailure(r, req.what)
		c.setAside(now, r.token.Reveal(), failure)
		return nil, why, failure
	case limited:
		return nil, why, f.rateLimited(c.limited(now, r.header))
	case hidden:
		c.accepted()
		f.forgetMoved(req)
		return nil, why, f.statusFailure(r, req.what)
	case fine:
	}
	c.accepted()
	if r.status/100 != 2 || req.read != nil && r.value == nil {
		return nil, why, f.statusFailure(r, req.what)
	}
	return r, why, nil
}

// exchange makes a request, and again where GitLab says that a project is somewhere else.
func (f *Forge) exchange(ctx context.Context, c *credential, token string, req request) (*reply, error) {
	const most = 3
	u := f.address(req)
	for range most {
		r, err := f.once(ctx, c, token, req, u)
		if err != nil || r.status/100 != 3 {
			return r, err
		}
		if u, err = f.follow(req, u, r); err != nil {
			return nil, err
		}
	}
	return nil, errRedirect
}

// once makes one HTTP request, conditional where an earlier answer is known.
func (f *Forge) once(ctx context.Context, c *credential, token string, req request, u *url.URL) (*reply, error) {
	ctx, cancel := context.WithTimeout(ctx, f.timeout)
	defer cancel()
	out, err := http.NewRequestWithContext(ctx, req.method, u.String(), bytes.NewReader(req.body))
	if err != nil {
		return nil, fmt.Errorf("making the request: %w", err)
	}
	out.Header.Set("Accept", "application/json")
	out.Header.Set("User-Agent", f.userAgent)
	if token != "" {
		out.Header.Set("Private-Token", token)
	}
	if req.body != nil {
		out.Header.Set("Content-Type", "application/json")
	}
	var (
		known value
		etag  string
	)
	if req.keep {
		if known, etag = f.answers.get(u.String()); etag != "" {
			out.Header.Set("If-None-Match", etag)
		}
	}
	if req.method != http.MethodGet {
		if err := forge.Allowed(ctx); err != nil {
			return nil, err
		}
	}
	resp, err := f.transport.RoundTrip(out)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	c.count(f.now(), resp.Header)
	r := &reply{status: resp.StatusCode, header: resp.Header, token: secret.NewValue(token), by: c.name}
	if r.status == http.StatusNotModified {
		if etag == "" {
			return nil, errShape // nobody asked for it
		}
		r.status, r.value, r.unchanged = http.StatusOK, known, true
		return r, nil
	}
	if r.body, err = rest.ReadBody(resp); err != nil {
		return nil, err
	}
	if r.status != http.StatusOK || req.read == nil {
		return r, nil
	}
	if r.value, err = req.read(r); err != nil {
		return nil, errShape // the error may repeat what it read
	}
	if tag := r.header.Get("Etag"); req.keep && rest.IsETag(tag) {
		f.answers.put(u.String(), tag, r.value)
	}
	return r, nil
}
