package target

// Indexed returns how many event types the index of a set remembers.
func Indexed(s Set) int { return len(s.state.index.types) }
