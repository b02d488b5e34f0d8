package suppress

import (
	"container/heap"

	"github.com/millrace/millrace/windowing"
)

// A waiting key is one whose changes are held back.
type waiting struct {
	key    string
	size   int                 // bytes, for MaxBytes
	start  windowing.EventTime // when its time limit began
	lowest windowing.EventTime // of start and the time of its latest change
	place  [2]int              // in the two orders
}

// A line is keys in one order, as a heap: the first of it is at index 0.
type line struct {
	order int // index into waiting.place
	keys  []*waiting
}

const (
	byStart = iota // who leaves first, then by key
	byTime         // whose change is the oldest
)

func (l *line) Len() int { return len(l.keys) }

func (l *line) Less(i, j int) bool {
	a, b := l.keys[i], l.keys[j]
	if l.order == byTime {
		return a.lowest < b.lowest
	}
	return a.start < b.start || a.start == b.start && a.key < b.key
}

func (l *line) Swap(i, j int) {
	l.keys[i], l.keys[j] = l.keys[j], l.keys[i]
	l.keys[i].place[l.order], l.keys[j].place[l.order] = i, j
}

// Push implements heap.Interface.
func (l *line) Push(x any) {
	w := x.(*waiting)
	w.place[l.order] = len(l.keys)
	l.keys = append(l.keys, w)
}

// Pop implements heap.Interface.
func (l *line) Pop() any {
	last := len(l.keys) - 1
	w := l.keys[last]
	l.keys[last] = nil
	l.keys = l.keys[:last]
	return w
}

// remove takes a key out of the line.
func (l *line) remove(w *waiting) { heap.Remove(l, w.place[l.order]) }
