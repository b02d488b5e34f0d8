package engine

import (
	"slices"
	"sort"
)

// Memory is the engine of tests and of the test driver: a map, and beside it the keys in order, put in order only
// when somebody scans. It outlives Close, so that closing and opening a store again finds what was applied, as a
// disk would. Nothing is ever lost or damaged in it.
type Memory struct {
	cells map[string]*cell
	order []string // ascending, without duplicates; may hold keys that are gone from cells
	fresh []string // keys that may be missing from order
	holes bool     // single keys were deleted: order and fresh may hold keys that are gone, or one key twice
}

type cell struct{ value []byte }

// NewMemory returns an empty engine.
func NewMemory() *Memory {
	return &Memory{cells: map[string]*cell{}}
}

// Get implements Engine.
func (m *Memory) Get(dst, key []byte) ([]byte, bool, error) {
	c, ok := m.cells[string(key)]
	if !ok {
		return dst, false, nil
	}
	return append(dst, c.value...), true, nil
}

// Scan implements Engine.
func (m *Memory) Scan(from, to []byte, fn func(key, value []byte) error) error {
	m.settle()
	var key []byte
	for _, k := range m.order[sort.SearchStrings(m.order, string(from)):sort.SearchStrings(m.order, string(to))] {
		key = append(key[:0], k...)
		switch err := fn(key, m.cells[k].value); err {
		case nil:
		case ErrStop:
			return nil
		default:
			return err
		}
	}
	return nil
}

// NewBatch implements Engine.
func (m *Memory) NewBatch() Batch { return &memoryBatch{} }

// Apply implements Engine.
func (m *Memory) Apply(b Batch) error {
	mb := b.(*memoryBatch)
	for _, op := range mb.ops {
		a, z := mb.bytes[op.at:op.mid], mb.bytes[op.mid:op.end]
		switch op.kind {
		case opSet:
			m.set(a, z)
		case opDelete:
			delete(m.cells, string(a))
			m.holes = true
		case opDeleteRange:
			m.deleteRange(string(a), string(z))
		}
	}
	return nil
}

func (m *Memory) set(key, value []byte) {
	c, ok := m.cells[string(key)]
	if !ok {
		k := string(key)
		c = &cell{}
		m.cells[k] = c
		m.fresh = append(m.fresh, k)
	}
	c.value = append(c.value[:0], value...)
}

func (m *Memory) deleteRange(from, to string) {
	m.settle()
	a, z := sort.SearchStrings(m.order, from), sort.SearchStrings(m.order, to)
	if a >= z {
		return
	}
	for _, k := range m.order[a:z] {
		delete(m.cells, k)
	}
	if gone := z - a; a < len(m.order)-z {
		copy(m.order[gone:], m.order[:a]) // mostly what is deleted lies near the front
		clear(m.order[:gone])
		m.order = m.order[gone:]
	} else {
		m.order = slices.Delete(m.order, a, z)
	}
}

// settle makes order exactly the keys of cells. Its cost is linear and paid once per run of writes; where all new keys
// lie behind the others, as those of later windows do, it is linear in the new ones.
func (m *Memory) settle() {
	if len(m.fresh) == 0 && !m.holes {
		return
	}
	slices.Sort(m.fresh)
	if n := len(m.order); !m.holes && (n == 0 || m.order[n-1] < m.fresh[0]) {
		m.order, m.fresh = append(m.order, m.fresh...), m.fresh[:0]
		return
	}
	merged := make([]string, 0, len(m.cells))
	a, b := m.order, m.fresh
	for len(a) > 0 || len(b) > 0 {
		var k string
		if len(b) == 0 || len(a) > 0 && a[0] <= b[0] {
			k, a = a[0], a[1:]
		} else {
			k, b = b[0], b[1:]
		}
		if m.holes {
			if _, live := m.cells[k]; !live || len(merged) > 0 && merged[len(merged)-1] == k {
				continue
			}
		}
		merged = append(merged, k)
	}
	m.order, m.fresh, m.holes = merged, m.fresh[:0], false
}

// Flush implements Engine; there is nothing to do.
func (m *Memory) Flush() error { return nil }

// FlushSoon implements Engine; there is nothing to do.
func (m *Memory) FlushSoon() error { return nil }

// Close implements Engine. The content stays.
func (m *Memory) Close() error { return nil }

type opKind uint8

const (
	opSet opKind = iota
	opDelete
	opDeleteRange
)

// memoryBatch is a list of operations over one arena: the first operand is bytes[at:mid], the second bytes[mid:end].
type memoryBatch struct {
	ops   []memoryOp
	bytes []byte
}

type memoryOp struct {
	kind         opKind
	at, mid, end int
}

func (b *memoryBatch) add(kind opKind, x, y []byte) error {
	at := len(b.bytes)
	b.bytes = append(append(b.bytes, x...), y...)
	b.ops = append(b.ops, memoryOp{kind: kind, at: at, mid: at + len(x), end: len(b.bytes)})
	return nil
}

func (b *memoryBatch) Set(key, value []byte) error       { return b.add(opSet, key, value) }
func (b *memoryBatch) Delete(key []byte) error           { return b.add(opDelete, key, nil) }
func (b *memoryBatch) DeleteRange(from, to []byte) error { return b.add(opDeleteRange, from, to) }
func (b *memoryBatch) Size() int                         { return len(b.bytes) }
func (b *memoryBatch) Reset()                            { b.ops, b.bytes = b.ops[:0], b.bytes[:0] }
