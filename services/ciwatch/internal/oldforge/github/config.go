package github

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
)

// DefaultAPIURL is the API of github.com.
const DefaultAPIURL = "https://api.github.com"

// DefaultBranch stands for a repository's default branch, as it does in git.
const DefaultBranch = "HEAD"

// Config says what to watch and how to reach it.
type Config struct {
	// APIURL is the base of the REST API: [DefaultAPIURL] when empty, https://HOST/api/v3 of a GitHub Enterprise Server.
	APIURL string
	// Token is sent as a bearer token, to the host of APIURL only; none when empty.
	Token secret.Value
	// Repository is "owner/name".
	Repository string
	// Workflow is a workflow's file name, such as ci.yml, or its numeric id; empty means all workflows.
	Workflow string
	// Branch is the branch whose runs are listed; empty or [DefaultBranch] means the repository's default branch.
	Branch string
	// UserAgent names the caller to GitHub, which refuses requests without one; empty means "mlsdm-ciwatch".
	UserAgent string
	// Timeout bounds one request with its answer; 0 means 20 s.
	Timeout time.Duration
	// OnNotModified is called for every answer that was served from the copy of an earlier one. Optional.
	OnNotModified func()
}

// Validate returns an error that names the first setting that is wrong.
func (c Config) Validate() error {
	if _, err := parseAPIURL(c.APIURL); err != nil {
		return err
	}
	if _, _, err := splitRepository(c.Repository); err != nil {
		return err
	}
	if err := checkWorkflow(c.Workflow); err != nil {
		return err
	}
	return checkBranch(c.Branch)
}

// parseAPIURL returns the base URL with the slash at its end that go-github resolves paths against.
func parseAPIURL(raw string) (*url.URL, error) {
	if raw == "" {
		raw = DefaultAPIURL
	}
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return nil, errors.New("github-api-url is not a URL")
	case u.Scheme != "https" && u.Scheme != "http", u.Host == "":
		return nil, errors.New("github-api-url must be http(s)://HOST[/PATH]")
	case u.User != nil, u.RawQuery != "", u.Fragment != "":
		return nil, errors.New("github-api-url must have no user, query or fragment")
	}
	u.Path = strings.TrimSuffix(u.Path, "/") + "/"
	u.RawPath = ""
	return u, nil
}

// splitRepository cuts "owner/name" in two and checks both, so that neither can reach another path of the API.
func splitRepository(repository string) (owner, name string, err error) {
	owner, name, ok := strings.Cut(repository, "/")
	if !ok || !isSegment(owner) || !isSegment(name) {
		return "", "", fmt.Errorf("github-repository is %q; it must be owner/name, each of A-Z a-z 0-9 _ . -", clip(repository))
	}
	return owner, name, nil
}

// checkWorkflow accepts a file name or an id.
func checkWorkflow(workflow string) error {
	if workflow == "" || isSegment(workflow) {
		return nil
	}
	return fmt.Errorf("ci-workflow is %q; it must be a file name of A-Z a-z 0-9 _ . - or a numeric id", clip(workflow))
}

// checkBranch accepts what git accepts as far as it matters here; the branch travels as an escaped query parameter.
func checkBranch(branch string) error {
	if len(branch) > maxBranch {
		return fmt.Errorf("ci-branch has %d bytes; at most %d are allowed", len(branch), maxBranch)
	}
	if strings.ContainsFunc(branch, func(r rune) bool { return r <= ' ' || r == 0x7f || r == '\uFFFD' }) {
		return fmt.Errorf("ci-branch %q has a space, a control character or invalid UTF-8", clip(branch))
	}
	return nil
}

// isSegment reports whether s is what GitHub allows in the names of owners, repositories and workflow files. Nothing of
// it needs escaping in a URL path.
func isSegment(s string) bool {
	if s == "" || s == "." || s == ".." || len(s) > 100 {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_' && r != '.' && r != '-'
	})
}

// clip bounds a setting that is repeated in an error.
func clip(s string) string {
	const most = 80
	if len(s) > most {
		return strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}
