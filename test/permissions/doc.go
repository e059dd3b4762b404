// Package permissions tests the closed bus against a real server: the whole matrix of users and subjects, what a service
// that was broken into can try, and that every service works with no more than its rights.
package permissions
