package windowing

// A record that failed after it was taken in is taken back: the stores are what they were before it, and what is kept
// in memory beside them has to follow. Mark is called before the record, and then Undo, or Keep, before anything else.
//
// Sessions and sliding windows need nothing of it. What a course plans for a record that is taken back is a key to be
// looked at, or looked at earlier: whoever looks goes by the store, finds nothing due, and plans the key for when
// something is. Only in which order keys are looked at that are due together may differ, as it does after a restart. The
// same holds for keys noted for early results: whether a value has changed is in the store.

// kept is what an aggregation over a window store remembers of its records.
type kept struct {
	noting        bool
	earliest, due EventTime
	noted         []string // for early results, since the savepoint
}

// Mark sets a savepoint.
func (a *Aggregation[A]) Mark() {
	a.early.kept = kept{noting: true, earliest: a.earliest, due: a.due, noted: a.early.kept.noted[:0]}
}

// Undo goes back to the savepoint: a window that is not there is not waited for, and no value is sent that has not
// changed, unless so many have changed that all count as changed.
func (a *Aggregation[A]) Undo() {
	k := &a.early.kept
	a.earliest, a.due = k.earliest, k.due
	for _, change := range k.noted {
		delete(a.early.noted, change)
	}
	a.Keep()
}

// Keep forgets the savepoint.
func (a *Aggregation[A]) Keep() {
	k := &a.early.kept
	clear(k.noted)
	k.noting, k.noted = false, k.noted[:0]
}
