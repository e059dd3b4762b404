// Package ptytest gives a test a terminal: a pseudo terminal on which a program draws, and at whose other end the test types and looks.
package ptytest
