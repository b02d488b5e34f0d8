package windowing

import (
	"bytes"

	"github.com/millrace/millrace/state"
	"github.com/millrace/millrace/windowing/internal/grid"
)

// rolling combines the panes of one window after the other, each pane a fixed number of times however many windows it
// is in. Time is cut into blocks as long as a window. A window is the end of one block and the beginning of the next:
// of the block it starts in, rolling has each key's panes combined from every pane on to the block's end (the tail); of
// the next block, each key's panes combined so far (the head). A block that has become whole turns from head to tail.
//
// So which values are combined with which follows from the window alone, and values that are not quite independent of
// order, such as sums of floating-point numbers, are the same whenever the operator was started.
//
// It is no state: it is made from the store, as windows fire, and only from panes that change no more. It keeps a piece
// for each key and pane of up to two windows, and does without where that would be more than piecesMax. It belongs to
// the task's goroutine.
type rolling[A any] struct {
	combine Combine[A]
	blocks  timeGrid
	limit   int // of pieces of a block
	store   *state.WindowStore[state.Timestamped[A]]

	block EventTime // the tail is of this block; NoTime if there is none
	next  EventTime // panes from here on are in neither
	wide  EventTime // a block with more pieces than the limit: nothing of it is kept from window to window

	entries []rolled[A]
	order   []uint32 // entries, by key
	keys    []byte   // of the entries
	head    []piece[A]
	tail    []piece[A]

	pane                    EventTime // that is being visited
	at                      int       // in order, while keys are visited in theirs
	fresh, spare            []uint32  // entries that are not in order yet; the order to be
	spareEntries            []rolled[A]
	spareKeys               []byte
	result                  state.Timestamped[A]
	toHead, toTail, toAlone func(key []byte, v *state.Timestamped[A]) error
}

// rolled is one key.
type rolled[A any] struct {
	from, length uint32 // of the key
	tail         int32  // its first piece of the tail, -1 if none
	has          uint8
	head         state.Timestamped[A] // of the panes in the head
	alone        state.Timestamped[A] // of the window by itself
}

const (
	hasHead = 1 << iota
	hasAlone
)

// piece is what one key has in one pane or, in the tail, from that pane on.
type piece[A any] struct {
	value state.Timestamped[A]
	pane  EventTime
	entry uint32
	next  int32 // the key's next piece of the tail, -1 if none
}

// piecesMax bounds the pieces of a block.
const piecesMax = 1 << 20

func newRolling[A any](store *state.WindowStore[state.Timestamped[A]], windows timeGrid, c Combine[A]) *rolling[A] {
	size := windows.Size
	r := &rolling[A]{combine: c, store: store, limit: piecesMax, wide: NoTime,
		blocks: timeGrid{Size: size, Step: size, Offset: grid.Remainder(windows.Offset, size)}}
	r.toHead, r.toTail, r.toAlone = r.addToHead, r.addToTail, r.addAlone
	r.reset()
	return r
}

// move makes [start, to) the current window. Windows come in ascending order; panes are the numbers of the store.
func (r *rolling[A]) move(panes []int64, start, to EventTime) error {
	block := r.blocks.Last(start)
	if block == r.wide {
		return r.moveWide(panes, start, to)
	}
	if block != r.block {
		if r.block == NoTime {
			r.reset()
		}
		end := min(grid.Plus(block, r.blocks.Size), to)
		if err := r.visit(panes, max(start, r.next), end, r.toHead); err != nil {
			return err
		}
		r.turn()
		r.block, r.next = block, end
	}
	err := r.visit(panes, max(start, r.next), to, r.toHead)
	r.next = max(r.next, to)
	if err == nil && max(len(r.head), len(r.tail)) > r.limit {
		r.wide = block
		return r.moveWide(panes, start, to)
	}
	return err
}

// moveWide is move without pieces for each pane.
func (r *rolling[A]) moveWide(panes []int64, start, to EventTime) error {
	r.reset()
	end := min(grid.Plus(r.blocks.Last(start), r.blocks.Size), to)
	for i := len(panes) - 1; i >= 0; i-- {
		if pane := EventTime(panes[i]); pane >= start && pane < end {
			if err := r.visit(panes[i:i+1], start, end, r.toTail); err != nil {
				return err
			}
		}
	}
	err := r.visit(panes, end, to, r.toHead)
	r.head = r.head[:0]
	return err
}

// visit shows the values of all panes that start from from on and below to, earliest first, each by its keys.
func (r *rolling[A]) visit(panes []int64, from, to EventTime, each func(key []byte, v *state.Timestamped[A]) error) error {
	for _, n := range panes {
		if n < int64(from) || n >= int64(to) {
			continue
		}
		r.pane, r.at = EventTime(n), 0
		if err := r.store.Each(n, each); err != nil {
			return err
		}
		r.settle()
	}
	return nil
}

// entry finds a key, or makes an entry for it. It is called for keys in ascending order.
func (r *rolling[A]) entry(key []byte) uint32 {
	for r.at < len(r.order) {
		i := r.order[r.at]
		c := bytes.Compare(r.key(&r.entries[i]), key)
		if c > 0 {
			break
		}
		r.at++
		if c == 0 {
			return i
		}
	}
	i := uint32(len(r.entries))
	r.entries = append(r.entries, rolled[A]{from: uint32(len(r.keys)), length: uint32(len(key)), tail: -1})
	r.keys = append(r.keys, key...)
	r.fresh = append(r.fresh, i)
	return i
}

func (r *rolling[A]) key(e *rolled[A]) []byte {
	return r.keys[e.from : e.from+e.length : e.from+e.length]
}

// settle puts new entries into the order.
func (r *rolling[A]) settle() {
	if len(r.fresh) == 0 {
		return
	}
	r.spare = r.spare[:0]
	old := r.order
	for _, i := range r.fresh {
		for len(old) > 0 && bytes.Compare(r.key(&r.entries[old[0]]), r.key(&r.entries[i])) < 0 {
			r.spare, old = append(r.spare, old[0]), old[1:]
		}
		r.spare = append(r.spare, i)
	}
	r.spare = append(r.spare, old...)
	r.order, r.spare, r.fresh = r.spare, r.order, r.fresh[:0]
}

func (r *rolling[A]) addToHead(key []byte, v *state.Timestamped[A]) error {
	i := r.entry(key)
	e := &r.entries[i]
	if e.has&hasHead == 0 {
		e.has |= hasHead
		e.head = r.first(v)
	} else {
		r.add(&e.head, v)
	}
	if len(r.head) <= r.limit {
		r.head = append(r.head, piece[A]{value: *v, pane: r.pane, entry: i, next: -1})
	}
	return nil
}

// addToTail puts a pane before those that are in the tail.
func (r *rolling[A]) addToTail(key []byte, v *state.Timestamped[A]) error {
	i := r.entry(key)
	e := &r.entries[i]
	whole := r.first(v)
	if e.tail < 0 {
		e.tail = int32(len(r.tail))
		r.tail = append(r.tail, piece[A]{value: whole, pane: r.pane, entry: i, next: -1})
		return nil
	}
	c := &r.tail[e.tail]
	r.add(&whole, &c.value)
	c.value = whole
	return nil
}

func (r *rolling[A]) addAlone(key []byte, v *state.Timestamped[A]) error {
	e := &r.entries[r.entry(key)]
	e.alone, e.has = *v, e.has|hasAlone
	return nil
}

func (r *rolling[A]) first(v *state.Timestamped[A]) state.Timestamped[A] {
	return state.Timestamped[A]{Time: v.Time, Value: r.combine.start(v.Value)}
}

func (r *rolling[A]) add(acc, v *state.Timestamped[A]) {
	acc.Value, acc.Time = r.combine.Values(acc.Value, v.Value), max(acc.Time, v.Time)
}

// turn makes the head the tail, and forgets the keys that are not in it.
func (r *rolling[A]) turn() {
	for i := range r.entries {
		r.entries[i].tail = -1
	}
	for i := len(r.head) - 1; i >= 0; i-- {
		c := &r.head[i]
		e := &r.entries[c.entry]
		c.value = r.first(&c.value)
		if e.tail >= 0 {
			r.add(&c.value, &r.head[e.tail].value)
		}
		c.next, e.tail = e.tail, int32(i)
	}
	clear(r.tail)
	r.head, r.tail = r.tail[:0], r.head
	entries, keys := r.spareEntries[:0], r.spareKeys[:0]
	for _, i := range r.order {
		if e := &r.entries[i]; e.tail >= 0 {
			entries = append(entries, rolled[A]{from: uint32(len(keys)), length: e.length, tail: e.tail})
			keys = append(keys, r.key(e)...)
		}
	}
	clear(r.entries)
	r.spareEntries, r.spareKeys = r.entries, r.keys
	r.entries, r.keys, r.order = entries, keys, r.order[:0]
	for i := range r.entries {
		r.order = append(r.order, uint32(i))
	}
}

// reset forgets everything.
func (r *rolling[A]) reset() {
	clear(r.entries)
	clear(r.head)
	clear(r.tail)
	r.entries, r.order, r.keys, r.head, r.tail = r.entries[:0], r.order[:0], r.keys[:0], r.head[:0], r.tail[:0]
	r.block, r.next = NoTime, NoTime
}

// alone adds the values of the current window by itself.
func (r *rolling[A]) alone(number int64) error {
	r.at = 0
	if err := r.store.Each(number, r.toAlone); err != nil {
		return err
	}
	r.settle()
	return nil
}

// each calls fn with each key of the current window and its value, in the order of the key bytes.
func (r *rolling[A]) each(start EventTime, fn func(key []byte, v *state.Timestamped[A]) error) error {
	for _, i := range r.order {
		e := &r.entries[i]
		for e.tail >= 0 && r.tail[e.tail].pane < start {
			e.tail = r.tail[e.tail].next
		}
		var whole *state.Timestamped[A]
		if e.tail >= 0 {
			whole = &r.tail[e.tail].value
		}
		if e.has&hasHead != 0 {
			whole = r.with(whole, &e.head)
		}
		if e.has&hasAlone != 0 {
			whole = r.with(whole, &e.alone)
			e.has &^= hasAlone
		}
		if whole == nil {
			continue
		}
		if err := fn(r.key(e), whole); err != nil {
			return err
		}
	}
	return nil
}

// with is one value of the current window and another; whole is nil if there was none.
func (r *rolling[A]) with(whole, v *state.Timestamped[A]) *state.Timestamped[A] {
	if whole == nil {
		return v
	}
	if whole != &r.result {
		r.result = r.first(whole)
	}
	r.add(&r.result, v)
	return &r.result
}
