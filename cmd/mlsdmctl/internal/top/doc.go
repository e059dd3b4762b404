// Package top measures a running installation from the bus: its services and operations, streams, consumers and webhook endpoints. A
// [Sample] is what is counted at one moment; a [Report] is made of two of them, because rates are differences.
package top
