//go:build !amd64

package uselite

// tile is [tilePlain].
func tile(x []float32, columns []byte, s *sums) { tilePlain(x, columns, s) }
