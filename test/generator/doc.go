// Package generator tests generators as processes of their own, several and such that are killed.
package generator
