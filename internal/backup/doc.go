// Package backup saves the streams, KV buckets and object stores of an installation to a folder, with their consumers, and brings
// them back.
//
// Each is saved by a snapshot of the server's own, which is atomic; several are not taken at one moment. They are taken in the
// order in which work moves, what it comes from first: what moves meanwhile is then in the backup twice, and never missing. What is
// twice is done again, as after a crash, and has the same ids.
//
// The one way back in that order, from waiting deliveries to those that are due, is closed while the two are taken: its consumer is
// paused.
package backup
