package lease

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
)

// maxSeats bounds the replicas that are counted.
const maxSeats = 1024

const (
	shardPrefix = "shard."
	seatPrefix  = "replica."
)

func shardKey(shard int) string { return shardPrefix + strconv.Itoa(shard) }
func seatKey(seat int) string   { return seatPrefix + strconv.Itoa(seat) }

// seen is a key as it was last told.
type seen struct {
	holder   string
	revision uint64
	at       time.Time // when it was told first
	gone     bool
}

// view is what a replica sees of the bucket: who leads which shard, and who is there. A replica that is there sits on a seat, so that
// the bucket has as many keys as there have been replicas at one time, and not as there have been replicas ever.
type view struct {
	ttl    time.Duration
	n      int // shards
	shards map[int]seen
	seats  map[int]seen
}

func newView(ttl time.Duration, shards int) view {
	return view{ttl: ttl, n: shards, shards: make(map[int]seen), seats: make(map[int]seen)}
}

// observe takes in a change of the bucket. It returns the shard that it is about, if it is about one.
func (v *view) observe(e bus.KVEntry, now time.Time) (shard int, ok bool) {
	s := seen{holder: holderOf(e.Value), revision: e.Revision, at: now, gone: e.Deleted}
	if number, ok := numberOf(e.Key, shardPrefix, v.n); ok {
		v.shards[number] = s
		return number, true
	}
	if number, ok := numberOf(e.Key, seatPrefix, maxSeats); ok {
		v.seats[number] = s
	}
	return 0, false
}

// numberOf returns the number that a key ends with.
func numberOf(key, prefix string, below int) (int, bool) {
	text, ok := strings.CutPrefix(key, prefix)
	if !ok {
		return 0, false
	}
	number, err := strconv.Atoi(text)
	return number, err == nil && number >= 0 && number < below && strconv.Itoa(number) == text
}

// holds reports whether a key is somebody's.
func (v *view) holds(s seen, now time.Time) bool {
	return s.revision > 0 && !s.gone && now.Sub(s.at) < v.ttl
}

// over returns the revision that may be overwritten in the name of me, 0 when there is no value. What is in the name of me and
// is asked for was written by a request whose answer never came.
func (v *view) over(s seen, me string, now time.Time) (revision uint64, ok bool) {
	switch {
	case s.revision == 0, s.gone:
		return 0, true
	case s.holder == me, !v.holds(s, now):
		return s.revision, true
	default:
		return 0, false
	}
}

// free returns whether a shard may be taken, and the revision of its key.
func (v *view) free(shard int, me string, now time.Time) (revision uint64, ok bool) {
	return v.over(v.shards[shard], me, now)
}

// seat returns the first seat from a given one on that may be taken, and the revision of its key.
func (v *view) seat(from int, me string, now time.Time) (seat int, revision uint64, ok bool) {
	for seat := from; seat < maxSeats; seat++ {
		if revision, ok := v.over(v.seats[seat], me, now); ok {
			return seat, revision, true
		}
	}
	return 0, 0, false
}

// alive returns who is there, in the order of seats.
func (v *view) alive(now time.Time) []string {
	var seats []int
	for seat, s := range v.seats {
		if v.holds(s, now) {
			seats = append(seats, seat)
		}
	}
	slices.Sort(seats)
	var names []string
	for _, seat := range seats {
		if name := v.seats[seat].holder; !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// place is a replica's place among those who are there.
type place struct {
	rank, of int // rank counts from 0
	quota    int // the shards that it leads
}

// place returns the place of a replica, if it is there itself. The first ones lead one shard more than the others, if it has to be.
func (v *view) place(me string, now time.Time) (place, bool) {
	names := v.alive(now)
	rank := slices.Index(names, me)
	if rank < 0 {
		return place{}, false
	}
	quota := v.n / len(names)
	if rank < v.n%len(names) {
		quota++
	}
	return place{rank: rank, of: len(names), quota: quota}, true
}

// next returns when the next key is over unless it is written before.
func (v *view) next(now time.Time) time.Time {
	next := now.Add(v.ttl)
	for _, keys := range []map[int]seen{v.shards, v.seats} {
		for _, s := range keys {
			if over := s.at.Add(v.ttl); v.holds(s, now) && over.Before(next) {
				next = over
			}
		}
	}
	return next
}

// names returns the leader of each shard; empty is none.
func (v *view) names(now time.Time) []string {
	names := make([]string, v.n)
	for shard := range names {
		if s := v.shards[shard]; v.holds(s, now) {
			names[shard] = s.holder
		}
	}
	return names
}
