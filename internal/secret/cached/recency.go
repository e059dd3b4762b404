package cached

// recency is entries in the order of their last use.
type recency struct{ newest, oldest *entry }

// touch makes an entry the newest; it may be one that is not in yet.
func (r *recency) touch(e *entry) {
	if r.newest == e {
		return
	}
	r.remove(e)
	e.older = r.newest
	if r.newest != nil {
		r.newest.newer = e
	}
	r.newest = e
	if r.oldest == nil {
		r.oldest = e
	}
}

// remove takes an entry out, if it is in.
func (r *recency) remove(e *entry) {
	if e.newer != nil {
		e.newer.older = e.older
	} else if r.newest == e {
		r.newest = e.older
	}
	if e.older != nil {
		e.older.newer = e.newer
	} else if r.oldest == e {
		r.oldest = e.newer
	}
	e.newer, e.older = nil, nil
}

// agenda is entries in the order in which something is to be done about them. It implements [container/heap.Interface].
type agenda []*entry

// Len implements [sort.Interface].
func (a agenda) Len() int { return len(a) }

// Less implements [sort.Interface].
func (a agenda) Less(i, j int) bool { return a[i].due.Before(a[j].due) }

// Swap implements [sort.Interface].
func (a agenda) Swap(i, j int) {
	a[i], a[j] = a[j], a[i]
	a[i].place, a[j].place = i, j
}

// Push implements [container/heap.Interface].
func (a *agenda) Push(x any) {
	e, ok := x.(*entry)
	if !ok {
		return
	}
	e.place = len(*a)
	*a = append(*a, e)
}

// Pop implements [container/heap.Interface].
func (a *agenda) Pop() any {
	last := len(*a) - 1
	e := (*a)[last]
	(*a)[last] = nil
	*a = (*a)[:last]
	return e
}
