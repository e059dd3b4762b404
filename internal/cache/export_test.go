package cache

import (
	"encoding/binary"
	"hash/crc32"
)

// EncodeHalves writes a vector as float16, as [Vectors.SetMulti] does.
func EncodeHalves(v []float32) []byte { return encodeVector(0, v, Float16) }

// Resum puts the checksum of a vector right.
func Resum(b []byte) {
	binary.LittleEndian.PutUint32(b[12:], crc32.Checksum(b[headerSize:], castagnoli()))
}

// Seal writes a value as it is in Redis.
func Seal(key string, value []byte, fresh int64, fill uint32, absent bool) []byte {
	b := append(make([]byte, sealSize), value...)
	seal(b, key, entry{fresh: fresh, fill: fill, absent: absent})
	return b
}

// Unseal reads what is in Redis.
func Unseal(b []byte, key string) (value []byte, fresh int64, fill uint32, absent bool, err error) {
	e, err := unseal(b, key)
	return e.value, e.fresh, e.fill, e.absent, err
}

// Forget forgets what the process has.
func (n *Namespace) Forget() { n.near.entries.InvalidateAll() }
