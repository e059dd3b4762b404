// Package containers tests what the images and docker-compose.yml promise: by reading them, and, with the build tag
// integration, by starting the whole stack.
package containers
