package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Known holds, by the name of the service, the keys that each service reads from the file. With it one file serves all
// services, and a misspelled key is found by every one of them.
type Known map[string][]string

// all returns the keys of all services, sorted, each once.
func (k Known) all() []string {
	var keys []string
	for _, own := range k {
		keys = append(keys, own...)
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// unknown says what is wrong with a key and what may be meant. section is where the key stands; empty is outside.
func (k Known) unknown(key, section string) string {
	if section == "" {
		candidates := append(k.all(), slices.Sorted(maps.Keys(k))...)
		return fmt.Sprintf("unknown key %q%s", key, didYouMean(key, candidates))
	}
	message := fmt.Sprintf("unknown key %q in section %q", key, section)
	if hint := didYouMean(key, k[section]); hint != "" {
		return message + hint
	}
	var owners []string
	for _, name := range slices.Sorted(maps.Keys(k)) {
		if slices.Contains(k[name], key) {
			owners = append(owners, name)
		}
	}
	if len(owners) > 0 {
		return message + "; it is a setting of " + strings.Join(owners, ", ")
	}
	return message + didYouMean(key, k.all())
}

// didYouMean names the candidate nearest to key, if one is near enough to be meant.
func didYouMean(key string, candidates []string) string {
	plain := strings.ToLower(strings.ReplaceAll(key, "_", "-"))
	best, bestDistance := "", max(2, len(plain)/3)+1
	for _, c := range candidates {
		if d := distance(plain, c); d < bestDistance {
			best, bestDistance = c, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %q?", best)
}

// distance is the Levenshtein distance in bytes: how many must be put in, taken out or replaced.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}
