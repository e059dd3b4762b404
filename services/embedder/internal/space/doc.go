// Package space keeps vectors of different spaces apart: the length of a model's vectors is pinned when it is first seen, for all
// replicas, and an answer of another length is refused until the operator agrees.
package space
