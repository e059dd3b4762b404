// Package containers tests what the images and docker-compose.yml promise: by reading them, and, with the build tag
// containers, by starting the whole stack.
package containers
