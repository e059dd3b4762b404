package uselite

import "golang.org/x/sys/cpu"

// vectors says whether the processor has the instructions that kernel_amd64.s is made of.
func vectors() bool { return cpu.X86.HasAVX2 && cpu.X86.HasFMA }

// tile is [tilePlain], with vector instructions where there are any.
func tile(x []float32, columns []byte, s *sums) {
	if vectors() {
		tileAVX2(&x[0], len(x)/tileRows, &columns[0], s)
	} else {
		tilePlain(x, columns, s)
	}
}

// dots is [dotsPlain], with vector instructions where there are any.
func dots(query, keys []float32, stride int, shares []float32) {
	if vectors() {
		// Whoever calls with too little memory panics here, as in plain Go: the instructions do not look.
		_, _ = query[chunk-1], keys[(len(shares)-1)*stride+chunk-1]
		dotsAVX2(&query[0], &keys[0], stride, &shares[0], len(shares))
	} else {
		dotsPlain(query, keys, stride, shares)
	}
}

// blend is [blendPlain], with vector instructions where there are any.
func blend(shares, values []float32, stride int, to []float32) {
	if vectors() {
		// As in dots.
		_, _ = to[chunk-1], values[(len(shares)-1)*stride+chunk-1]
		blendAVX2(&shares[0], len(shares), &values[0], stride, &to[0])
	} else {
		blendPlain(shares, values, stride, to)
	}
}

// tileAVX2 is [tilePlain] of rows with n numbers each. n is at least 1; x holds 4*n numbers and columns 16*n.
//
//go:noescape
func tileAVX2(x *float32, n int, columns *byte, s *sums)

// dotsAVX2 is [dotsPlain] of n keys, at least 1.
//
//go:noescape
func dotsAVX2(query, keys *float32, stride int, shares *float32, n int)

// blendAVX2 is [blendPlain] of n values, at least 1.
//
//go:noescape
func blendAVX2(shares *float32, n int, values *float32, stride int, to *float32)
