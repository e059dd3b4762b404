// Package tokenids carries the token ids of a text where texts go: through the batcher, the cache and jobs, which only have to tell texts
// apart. The ids of a text are written as a string that no text is, because it is not UTF-8.
package tokenids

import (
	"encoding/binary"
	"strings"
)

const (
	// mark begins a string of ids. No text in UTF-8 has this byte.
	mark = '\xff'
	// width is how many bytes an id has.
	width = 4
)

// Pack writes ids as a string. Different ids make different strings.
func Pack(ids []int32) string {
	var b strings.Builder
	b.Grow(1 + width*len(ids))
	b.WriteByte(mark)
	var id [width]byte
	for _, n := range ids {
		binary.LittleEndian.PutUint32(id[:], uint32(n)) //nolint:gosec // as bits
		b.Write(id[:])
	}
	return b.String()
}

// PackAll writes the ids of many texts.
func PackAll(lists [][]int32) []string {
	all := make([]string, len(lists))
	for i, ids := range lists {
		all[i] = Pack(ids)
	}
	return all
}

// Count is how many ids a string holds; false for a text.
func Count(s string) (n int, ok bool) {
	if s == "" || s[0] != mark {
		return 0, false
	}
	return (len(s) - 1) / width, true
}

// Unpack returns the ids that a string holds: those that [Pack] was given. A text has none.
func Unpack(s string) []int32 {
	n, _ := Count(s)
	ids := make([]int32, n)
	for i := range ids {
		at := s[1+width*i:]
		ids[i] = int32(uint32(at[0]) | uint32(at[1])<<8 | uint32(at[2])<<16 | uint32(at[3])<<24) //nolint:gosec // as bits
	}
	return ids
}

// UnpackAll returns the ids that many strings hold.
func UnpackAll(all []string) [][]int32 {
	lists := make([][]int32, len(all))
	for i, s := range all {
		lists[i] = Unpack(s)
	}
	return lists
}
