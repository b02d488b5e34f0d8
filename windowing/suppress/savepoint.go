package suppress

import (
	"slices"

	"github.com/millrace/millrace/windowing"
)

// A record that failed after it was taken in is taken back: the store is what it was before it, and the order in which
// keys leave, which is kept in memory beside it, has to follow. Mark is called before the record, and then Undo, or Keep,
// before anything else.

// takenBack is what a suppressor needs to go back to a savepoint.
type takenBack struct {
	noting         bool
	merged, passed windowing.EventTime
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
