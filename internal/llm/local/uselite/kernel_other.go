//go:build !amd64

package uselite

// tile is [tilePlain].
func tile(x []float32, columns []byte, s *sums) { tilePlain(x, columns, s) }

// dots is [dotsPlain].
func dots(query, keys []float32, stride int, shares []float32) {
	dotsPlain(query, keys, stride, shares)
}

// blend is [blendPlain].
func blend(shares, values []float32, stride int, to []float32) {
	blendPlain(shares, values, stride, to)
}
