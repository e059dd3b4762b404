package gate

// Waiting returns how many wait for a place at an endpoint.
func (g *Gates) Waiting(id string) int {
	at := g.of(id)
	at.mu.Lock()
	defer at.mu.Unlock()
	return len(at.waiting)
}
