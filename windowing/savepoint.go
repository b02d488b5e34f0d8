package windowing

import "slices"

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

// takenBack is what a suppressor needs to go back to a savepoint.
type takenBack struct {
	noting         bool
	merged, passed EventTime
	noted          []formerly // oldest first
}

// formerly is how a key waited before it was touched.
type formerly struct {
	key    string
	waited bool
	as     waiting
}

// note remembers how a key waits that is about to change.
func (p *Suppressor) note(key []byte) {
	if !p.back.noting {
		return
	}
	f := formerly{key: string(key)}
	if w := p.find[f.key]; w != nil {
		f.waited, f.as = true, *w
	}
	p.back.noted = append(p.back.noted, f)
}

// Mark sets a savepoint.
func (p *Suppressor) Mark() {
	p.back.noting, p.back.merged, p.back.passed = true, p.merged, p.passed
}

// Undo goes back to the savepoint: the same keys wait, each in its place.
func (p *Suppressor) Undo() {
	for _, f := range slices.Backward(p.back.noted) {
		if w := p.find[f.key]; w != nil {
			p.leave(w)
		}
		if f.waited {
			p.join(&f.as)
		}
	}
	p.merged, p.passed = p.back.merged, p.back.passed
	p.Keep()
}

// Keep forgets the savepoint.
func (p *Suppressor) Keep() {
	clear(p.back.noted)
	p.back.noting, p.back.noted = false, p.back.noted[:0]
}
