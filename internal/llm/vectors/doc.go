// Package vectors reads the answers of embedding servers as they come: JSON of which nearly all is lists of numbers, tens of megabytes of
// them. It keeps no more of an answer than the vectors, and it reads numbers several times as fast as a general decoder.
//
// A [Scanner] reads such JSON piece by piece; [Rows] is a list of vectors whose place and depth are known, and [Lists] one of which only
// the answer tells.
//
// All of them are strict: what is cut off, doubled in the wrong place or not a finite number (a null, a string) is an error and never a
// vector. Whether there are as many vectors as texts, and of the length that was asked for, is for [llm.CheckVectors].
package vectors
