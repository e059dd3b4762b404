package uselite

import "golang.org/x/sys/cpu"

// tile is [tilePlain], with vector instructions where the processor has them.
func tile(x []float32, columns []byte, s *sums) {
	if !cpu.X86.HasAVX2 || !cpu.X86.HasFMA {
		tilePlain(x, columns, s)
		return
	}
	tileAVX2(&x[0], len(x)/tileRows, &columns[0], s)
}

// tileAVX2 is [tilePlain] of rows with n numbers each. n is at least 1; x holds 4*n numbers and columns 16*n.
//
//go:noescape
func tileAVX2(x *float32, n int, columns *byte, s *sums)
