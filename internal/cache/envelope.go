package cache

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"time"
	"unsafe"
)

// The form of a value in Redis, all little-endian:
//
//	0  4  magic "MLSC"
//	4  1  version of this form, 1
//	5  1  flags: 1 says that there is known to be no value
//	6  2  0
//	8  8  until when it is fresh, in milliseconds of Unix time
//	16 4  how long it took to make, in milliseconds
//	20 4  CRC-32C of what is before, of the key, and of what follows
//	24    the value
//
// It is data and nothing else: whatever stands there, the worst that reading it does is to find nothing.
const (
	sealMagic   = "MLSC"
	sealVersion = 1
	sealSize    = 24
	sealSum     = 20

	flagAbsent = 1
)

// errSeal says that a value is not, or no longer, what was written under its key.
var errSeal = errors.New("value is corrupt")

// entry is a value with what is known about it.
type entry struct {
	value  []byte
	fresh  int64 // until when it is fresh, in milliseconds of Unix time
	fill   uint32
	absent bool // there is known to be no value
}

// freshAt reports whether the entry is fresh then.
func (e entry) freshAt(now time.Time) bool { return now.UnixMilli() < e.fresh }

// seal writes the form of an entry whose value stands behind the first sealSize bytes of b, which it fills.
func seal(b []byte, key string, e entry) {
	copy(b, sealMagic)
	b[4], b[5], b[6], b[7] = sealVersion, 0, 0, 0
	if e.absent {
		b[5] = flagAbsent
	}
	binary.LittleEndian.PutUint64(b[8:], uint64(e.fresh)) //nolint:gosec // read back the same way
	binary.LittleEndian.PutUint32(b[16:], e.fill)
	binary.LittleEndian.PutUint32(b[sealSum:], sealChecksum(b, key))
}

// unseal reads what seal wrote for the same key; anything else is errSeal. The entry's value is a part of b.
func unseal(b []byte, key string) (entry, error) {
	if len(b) < sealSize || string(b[:4]) != sealMagic || b[4] != sealVersion || b[5] > flagAbsent || b[6] != 0 || b[7] != 0 ||
		binary.LittleEndian.Uint32(b[sealSum:]) != sealChecksum(b, key) {
		return entry{}, errSeal
	}
	return entry{
		value: b[sealSize:], absent: b[5] == flagAbsent,
		fresh: int64(binary.LittleEndian.Uint64(b[8:])), //nolint:gosec // written the same way
		fill:  binary.LittleEndian.Uint32(b[16:]),
	}, nil
}

// sealChecksum is over the key too, so that a value that came under another key is noticed.
func sealChecksum(b []byte, key string) uint32 {
	sum := crc32.Update(0, castagnoli(), b[:sealSum])
	sum = crc32.Update(sum, castagnoli(), bytesOf(key))
	return crc32.Update(sum, castagnoli(), b[sealSize:])
}

// castagnoli is CRC-32C, which processors compute themselves. The table is made once, by the package.
func castagnoli() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) }

// bytesOf returns the bytes of a text without copying them: they must not be changed.
func bytesOf(text string) []byte {
	return unsafe.Slice(unsafe.StringData(text), len(text)) //nolint:gosec // read only; a copy of each value of a hundred costs a tenth of the visit
}
