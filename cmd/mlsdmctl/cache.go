package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/cache"
	"github.com/neuron7x/mlsdm-integrations/internal/cacheline"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// cacheCommand is about the caches of the services.
type cacheCommand struct {
	Stats cacheStatsCommand `cmd:"" help:"Show what the caches of the services do."`
	Clear cacheClearCommand `cmd:"" help:"Forget all that a namespace of a cache holds."`
}

// cacheStatsCommand shows statistics.
type cacheStatsCommand struct {
	Service string `enum:",embedder,generator" default:"" help:"Only that of this service: embedder or generator."`
}

// cacheClearCommand clears a namespace.
type cacheClearCommand struct {
	Namespace string `arg:"" help:"Which, as cache stats names it."`
	Service   string `enum:",embedder,generator" default:"" help:"Of which service, if several have one of that name: embedder or generator."`
	Yes       bool   `short:"y" help:"Do not ask."`
}

// statsPause is how long after an answer another replica may take to answer.
const statsPause = 500 * time.Millisecond

// Help says what is shown.
func (cacheStatsCommand) Help() string {
	return "Each replica has a line for each namespace: the share of lookups that found something in the last minute and hour, where they did,\n" +
		"what is kept in memory, and the state of Redis. Counts are since the replica began.\n\n" +
		"  mlsdmctl cache stats\n  mlsdmctl cache stats --service embedder --json | jq '.[].cache.namespaces'"
}

// Help shows examples.
func (cacheClearCommand) Help() string {
	return "What was in it has to be made, and paid for, again.\n\n  mlsdmctl cache clear emb\n  mlsdmctl cache clear chat --service generator --yes"
}

// replicaCache is the cache of a replica.
type replicaCache struct {
	Service string      `json:"service"`
	ID      string      `json:"id"`
	Cache   cache.Stats `json:"cache"`
}

// cachingServices are those that have a cache.
func cachingServices() []string { return []string{events.ServiceEmbedder, events.ServiceGenerator} }

// caches asks all replicas of a service, or of all services, for their statistics. Those that tell nothing are left out.
func caches(ctx context.Context, b *bus.Bus, service string) ([]replicaCache, error) {
	found := []replicaCache{}
	var errs []error
	for _, name := range cachingServices() {
		if service != "" && service != name {
			continue
		}
		replies, err := b.Gather(ctx, bus.Msg{Subject: "$SRV.STATS." + events.MicroName(name)}, statsPause)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		for _, reply := range replies {
			var told struct {
				ID        string `json:"id"`
				Endpoints []struct {
					Data *cacheline.Told `json:"data"`
				} `json:"endpoints"`
			}
			if err := json.Unmarshal(reply.Body, &told); err != nil {
				return nil, fmt.Errorf("the statistics of %s cannot be read: %w", name, err)
			}
			for _, e := range told.Endpoints {
				if e.Data != nil {
					found = append(found, replicaCache{Service: name, ID: told.ID, Cache: e.Data.Cache})
				}
			}
		}
	}
	if len(found) == 0 && len(errs) > 0 {
		return nil, errs[0]
	}
	slices.SortFunc(found, func(a, b replicaCache) int { return cmp.Or(cmp.Compare(a.Service, b.Service), cmp.Compare(a.ID, b.ID)) })
	return found, nil
}

// withBus connects as an operator for one piece of work.
func withBus(ctx context.Context, c *connection, t terminal, work func(ctx context.Context, b *bus.Bus) error) error {
	b, err := c.bus(ctx, t)
	if err != nil {
		return err
	}
	defer b.Close(ctx) //nolint:errcheck // all calls have been answered by then: there is nothing left to lose
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	return hint(work(ctx, b))
}

// Run implements the command.
func (s cacheStatsCommand) Run(ctx context.Context, c *connection, t terminal) error {
	var found []replicaCache
	err := withBus(ctx, c, t, func(ctx context.Context, b *bus.Bus) (err error) {
		found, err = caches(ctx, b, s.Service)
		return err
	})
	switch {
	case err != nil:
		return err
	case c.JSON:
		return printJSON(t, found)
	case len(found) == 0:
		_, err := fmt.Fprintln(t.out, "no service tells of a cache: it is switched off, or of a version before there were statistics")
		return err
	}
	w := tabwriter.NewWriter(t.out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "SERVICE\tREPLICA\tNAMESPACE\tFOUND 1M\tFOUND 1H\tIN MEMORY\tIN REDIS\tMISSED\tSTALE\tERRORS\tENTRIES\tMEMORY\tEVICTED\tA FILL")
	for _, r := range found {
		for _, n := range r.Cache.Namespaces {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%d\t%d\t%d\t%d\t%d\t%d\t%s of %s\t%d\t%s\n", r.Service, printable(r.ID[:min(len(r.ID), 8)]), printable(n.Name),
				share(n.HitRate1m), share(n.HitRate60m), n.Memory.Hits, n.Redis.Hits, n.Misses, n.Stale,
				n.Corrupt+n.Redis.ReadErrors+n.Redis.WriteErrors+n.FillErrors, n.Memory.Entries,
				mebibytes(float64(n.Memory.Bytes)), mebibytes(float64(n.Memory.MaxBytes)), n.Memory.Evictions, fillTime(n))
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, r := range found {
		if line := redisState(r.Cache.Redis); line != "" {
			fmt.Fprintf(t.out, "%s %s: %s\n", r.Service, printable(r.ID[:min(len(r.ID), 8)]), line)
		}
	}
	return nil
}

// share is a part as a percentage.
func share(rate *float64) string {
	if rate == nil {
		return "-"
	}
	return fmt.Sprintf("%.1f%%", 100**rate)
}

// mebibytes writes a size.
func mebibytes(bytes float64) string { return fmt.Sprintf("%.1f MiB", bytes/(1<<20)) }

// fillTime is how long it takes to make what is not there.
func fillTime(n cache.NamespaceStats) string {
	if n.Fills == 0 {
		return "-"
	}
	return time.Duration(n.FillSeconds / float64(n.Fills) * float64(time.Second)).Round(100 * time.Microsecond).String()
}

// redisState says how it is with Redis.
func redisState(r cache.RedisStats) string {
	switch {
	case r.Kind == "" || r.Kind == "none":
		return "no Redis: each replica has its own cache only"
	case r.Reads && r.Writes:
		return "Redis (" + printable(r.Kind) + ")"
	default:
		return "Redis (" + printable(r.Kind) + ") is not used now; the service's log and its health say why"
	}
}

// errNotCleared ends what was not confirmed.
var errNotCleared = errors.New("nothing was forgotten: the question was not answered with y; --yes does not ask")

// Run implements the command.
func (s cacheClearCommand) Run(ctx context.Context, c *connection, t terminal) error {
	if strings.Trim(s.Namespace, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" || s.Namespace == "" {
		return &usageError{fmt.Errorf("%q is no namespace: `mlsdmctl cache stats` lists those that there are", s.Namespace)}
	}
	if !s.Yes {
		if !interactive(t.in) {
			return &usageError{errors.New("nobody can be asked, as the standard input is no terminal: say --yes")}
		}
		if err := confirm(ctx, t, "Forget all that "+s.Namespace+" holds? It has to be made, and paid for, again.", errNotCleared); err != nil {
			return err
		}
	}
	var cleared cacheline.Cleared
	service := s.Service
	err := withBus(ctx, c, t, func(ctx context.Context, b *bus.Bus) (err error) {
		if service == "" {
			if service, err = ownerOf(ctx, b, s.Namespace); err != nil {
				return err
			}
		}
		reply, err := b.Request(ctx, bus.Msg{Subject: b.Subjects().CacheClear(service, s.Namespace)})
		if err != nil {
			return err
		}
		return json.Unmarshal(reply.Body, &cleared)
	})
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(t, map[string]any{"service": service, "namespace": cleared.Namespace, "entries": cleared.Entries})
	}
	_, err = fmt.Fprintf(t.out, "%s of %s is empty; it had %s entries\n", cleared.Namespace, service, thousands(cleared.Entries))
	return err
}

// ownerOf finds the one service that has a namespace.
func ownerOf(ctx context.Context, b *bus.Bus, namespace string) (string, error) {
	found, err := caches(ctx, b, "")
	if err != nil {
		return "", err
	}
	var owners, names []string
	for _, r := range found {
		for _, n := range r.Cache.Namespaces {
			names = append(names, n.Name)
			if n.Name == namespace {
				owners = append(owners, r.Service)
			}
		}
	}
	slices.Sort(names)
	slices.Sort(owners)
	switch owners = slices.Compact(owners); {
	case len(owners) == 1:
		return owners[0], nil
	case len(owners) > 1:
		return "", &usageError{fmt.Errorf("%s is in the cache of %s: --service says which is meant", namespace, strings.Join(owners, " and of "))}
	case len(names) == 0:
		return "", errors.New("no service tells of a cache: it is switched off, or of a version before there were statistics; --service asks all the same")
	default:
		return "", fmt.Errorf("there is no namespace %s, but %s", namespace, strings.Join(slices.Compact(names), ", "))
	}
}
