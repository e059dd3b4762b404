package document

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/policy"
)

// repositories reads the section repositories.
func (b *reader) repositories(n *yaml.Node) {
	if n == nil {
		return
	}
	lines := make(map[string]int)
	for _, item := range b.items(n, "repositories", maxRepositories) {
		text := b.Text(item, "a repository")
		if text == "" {
			continue
		}
		r, err := b.repository(text)
		if err != nil {
			b.Complain(item, "%w", err)
			continue
		}
		id := r.Forge + ":" + r.Pattern.String()
		if first, twice := lines[id]; twice {
			b.Complain(item, "%s is there twice, first in line %d", text, first)
			continue
		}
		lines[id] = item.Line
		b.doc.Repositories = append(b.doc.Repositories, r)
	}
}

// repository reads a repository or a pattern of an owner's: "owner/name", "owner/svc-*", "gitlab:group/sub/project", "gitlab:group/**".
func (b *reader) repository(text string) (Repository, error) {
	forge, name, err := b.cutForge(text)
	if err != nil {
		return Repository{}, err
	}
	if forge == "" && len(b.kinds) > 1 {
		return Repository{}, fmt.Errorf("%.80q may be in any of several forges; say in which, as in %s:%.80s", text, b.forgeNames()[0], text)
	}
	if forge == "" {
		forge = b.forgeNames()[0]
	}
	literal, _, _ := strings.Cut(name, "*")
	at := strings.LastIndex(literal, "/")
	if at <= 0 {
		return Repository{}, fmt.Errorf("%.80q is no repository; it is owner/name, or owner/* for all of an owner's", text)
	}
	if err := checkPath(name, b.kinds[forge]); err != nil {
		return Repository{}, err
	}
	pattern, err := policy.NewPattern(strings.ToLower(name)) // forges do not tell upper case from lower
	if err != nil {
		return Repository{}, err
	}
	return Repository{Forge: forge, Owner: name[:at], Name: name, Pattern: pattern}, nil
}

// cutForge takes the name of a forge from the beginning of a repository; it is empty when there is none.
func (b *reader) cutForge(text string) (forge, name string, err error) {
	forge, name, ok := strings.Cut(text, ":")
	if !ok {
		return "", text, nil
	}
	if _, known := b.kinds[forge]; !known {
		return "", "", fmt.Errorf("there is no forge %.80q; there are: %s", forge, strings.Join(b.forgeNames(), ", "))
	}
	return forge, name, nil
}

// forgeNames are those of all forges, in order.
func (b *reader) forgeNames() []string { return slices.Sorted(maps.Keys(b.kinds)) }

// checkPath checks the path of a repository of a forge of some kind, or a pattern of one.
func checkPath(path, kind string) error {
	parts := strings.Split(path, "/")
	if kind == GitHub && len(parts) > 2 {
		return fmt.Errorf("%.80q is no repository of GitHub, which is owner/name", path)
	}
	for _, part := range parts {
		if part == "" || part == "." || part == ".." || strings.ContainsFunc(part, func(r rune) bool {
			return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '.' && r != '-' && r != '_' && r != '*'
		}) {
			return fmt.Errorf("%.80q is no repository: between its slashes are letters, digits, '.', '-' and '_', and * in a pattern", path)
		}
	}
	return nil
}

// repositoryPatterns reads the repositories of a rule; they may begin with the name of a forge.
func (b *reader) repositoryPatterns(n *yaml.Node) []policy.Pattern {
	var patterns []policy.Pattern
	for _, item := range b.items(n, "repositories", maxPatterns) {
		text := b.Text(item, "a repository")
		if text == "" {
			continue
		}
		forge, name, err := b.cutForge(text)
		if err == nil && !strings.Contains(name, "/") && !strings.Contains(name, "**") {
			err = fmt.Errorf("%.80q matches no repository, which has a slash; it is owner/name, owner/* or */name, or ** for all", text)
		}
		if err == nil {
			err = checkPath(name, b.kinds[forge])
		}
		var pattern policy.Pattern
		if err == nil {
			pattern, err = policy.NewPattern(strings.ToLower(text))
		}
		if err != nil {
			b.Complain(item, "%w", err)
			continue
		}
		patterns = append(patterns, pattern)
	}
	return patterns
}
