package suppress

import (
	"container/heap"
	"fmt"

	"github.com/millrace/millrace/state"
	"github.com/millrace/millrace/windowing"
	"github.com/millrace/millrace/windowing/internal/grid"
)

// A Suppressor holds the changes of each key back as a Suppression says. It belongs to the task's goroutine.
//
// What is held is in the store; in memory there is only the order in which the keys leave, found again from the store.
// So made anew, after an abort or a restart, it goes on where the last commit was.
//
// What always holds:
//  1. A key waits, in the store and in both lines, from its first change until it is sent; then it is in none.
//  2. Keys leave in the order of their Start, ties by key; each with its latest change.
//  3. Between two calls no key waits that is due at the merged watermark, and no more than have room.
//  4. No change still to be sent that came on time, and none that comes on time, is below Passed, which never goes back;
//     while changes are being sent, it is what it was before them. As far as it is finite it is in the store's closing.
type Suppressor struct {
	millis  int64 // the time limit
	full    windowing.Full
	records int // how many keys may wait, 0 for any number
	bytes   int // how much they may take, 0 for any amount
	store   *state.KeyValueStore[[]byte, Held]
	emit    func(key []byte, h *Held) error
	merged  windowing.EventTime
	passed  windowing.EventTime
	held    int // bytes
	find    map[string]*waiting
	next    line   // who leaves first
	oldest  line   // whose change has the lowest time
	key     []byte // scratch

	back takenBack
}

// New returns the suppressor of a store that is open, restored, and used by nothing else. Validate must
// accept s. emit sends one change on; key and h are valid during the call, and it may use neither the store nor the
// suppressor, apart from Passed.
func New(s windowing.Suppression, store *state.KeyValueStore[[]byte, Held], emit func(key []byte, h *Held) error) (*Suppressor, error) {
	p := &Suppressor{millis: s.LimitMillis(), full: s.WhenFull(), store: store, emit: emit, find: map[string]*waiting{}}
	p.records, p.bytes = s.Room()
	p.passed = windowing.NoTime
	if c, ok := store.Closing(); ok {
		p.passed = windowing.EventTime(c.Watermark)
	}
	p.merged = p.passed // it was no lower
	p.next.order, p.oldest.order = byStart, byTime
	for key, h := range store.All() {
		p.enter(string(key), &h)
	}
	if err := store.Err(); err != nil {
		return nil, fmt.Errorf("windowing: read the changes that wait: %w", err)
	}
	return p, nil
}

// Change takes one change of a key in: its encoded value, or that it is gone, and its event time. The bytes are copied.
// Where the key waits already, the change replaces the one that does, and the time limit runs on. What is due or has no
// room any more is sent.
func (p *Suppressor) Change(key, value []byte, gone bool, at windowing.EventTime) error {
	h, existed, err := p.store.Slot(key)
	if err != nil {
		return err
	}
	if !existed {
		h.Start = at
	}
	h.Time, h.Gone, h.Value = at, gone, h.Value[:0]
	if !gone {
		h.Value = append(h.Value, value...)
	}
	p.note(key)
	if w := p.find[string(key)]; w != nil {
		p.held += h.size(len(key)) - w.size
		w.size, w.lowest = h.size(len(key)), min(h.Start, h.Time)
		heap.Fix(&p.oldest, w.place[byTime])
	} else {
		p.enter(string(key), h)
	}
	if err := p.sendDue(); err != nil {
		return err
	}
	if err := p.makeRoom(); err != nil {
		return err
	}
	p.pass()
	return nil
}

// Advance tells the merged watermark, after the changes that moved it were taken in, and sends what is due. MaxTime says
// that the input has ended: everything is sent.
func (p *Suppressor) Advance(merged windowing.EventTime) error {
	p.merged = max(p.merged, merged)
	if err := p.sendDue(); err != nil {
		return err
	}
	p.pass()
	return nil
}

// Due is the lowest merged watermark at which Advance has something to do; MaxTime if nothing waits.
func (p *Suppressor) Due() windowing.EventTime {
	if p.next.Len() == 0 {
		return windowing.MaxTime
	}
	return grid.Plus(p.next.keys[0].start, p.millis)
}

// Passed is the watermark that holds behind the operator: no change still to come that is on time is below it.
func (p *Suppressor) Passed() windowing.EventTime { return p.passed }

// pass raises what is passed, when all that can be sent was: to the merged watermark, or the time of the oldest change
// that waits. One that came late does not lower it: it stays late behind the operator.
func (p *Suppressor) pass() {
	at := p.merged
	if p.oldest.Len() > 0 {
		at = min(at, p.oldest.keys[0].lowest)
	}
	if at <= p.passed {
		return
	}
	p.passed = at
	if at != windowing.MaxTime {
		p.store.SetClosing(int64(at))
	}
}

func (p *Suppressor) enter(key string, h *Held) {
	p.join(&waiting{key: key, size: h.size(len(key)), start: h.Start, lowest: min(h.Start, h.Time)})
}

// join puts a key into both lines, leave takes it out of them.
func (p *Suppressor) join(w *waiting) {
	p.held += w.size
	p.find[w.key] = w
	heap.Push(&p.next, w)
	heap.Push(&p.oldest, w)
}

func (p *Suppressor) leave(w *waiting) {
	p.next.remove(w)
	p.oldest.remove(w)
	delete(p.find, w.key)
	p.held -= w.size
}

func (p *Suppressor) sendDue() error {
	for p.next.Len() > 0 && p.Due() <= p.merged {
		if err := p.sendFirst(); err != nil {
			return err
		}
	}
	return nil
}

func (p *Suppressor) makeRoom() error {
	for p.over(p.next.Len(), p.held) {
		if p.full == windowing.StopWhenFull {
			return fmt.Errorf("windowing: the changes of %d keys wait, %d bytes, and there is room for %s; give it more, or let them leave early with EmitEarly",
				p.next.Len(), p.held, p.room())
		}
		if err := p.sendFirst(); err != nil {
			return err
		}
	}
	return nil
}

// over reports whether more wait than may.
func (p *Suppressor) over(records, bytes int) bool {
	return p.records > 0 && records > p.records || p.bytes > 0 && bytes > p.bytes
}

// room describes the bounds that are set.
func (p *Suppressor) room() string {
	switch {
	case p.bytes == 0:
		return fmt.Sprintf("%d keys (MaxRecords)", p.records)
	case p.records == 0:
		return fmt.Sprintf("%d bytes (MaxBytes)", p.bytes)
	}
	return fmt.Sprintf("%d keys and %d bytes (MaxRecords, MaxBytes)", p.records, p.bytes)
}

// sendFirst sends the key that has waited longest and forgets it.
func (p *Suppressor) sendFirst() error {
	w := p.next.keys[0]
	p.key = append(p.key[:0], w.key...)
	h, ok, err := p.store.Peek(p.key)
	if err != nil {
		return err
	}
	if !ok {
		return fmt.Errorf("windowing: the change of key %.40x waits, but is not in the store", w.key)
	}
	if err := p.emit(p.key, h); err != nil {
		return err
	}
	p.note(p.key)
	p.leave(w)
	return p.store.Remove(p.key)
}
