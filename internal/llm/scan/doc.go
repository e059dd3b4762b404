// Package scan reads the answers of embedding servers as they come: JSON of which nearly all is lists of numbers, tens of megabytes of
// them. It keeps no more of an answer than the vectors, and it reads numbers several times as fast as a general decoder.
//
// A [Scanner] is strict about JSON: what is cut off, doubled in the wrong place or not a number is an error and never a vector.
package scan
