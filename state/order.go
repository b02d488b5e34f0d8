package state

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"
)

// sorter sorts entries of a table by their keys. It sorts numbers: the eight bytes of each key behind the prefix that
// all keys share. Only keys that agree in those are compared as bytes, so most sorts touch each key twice. Its memory
// is reused; one belongs to each Stores.
type sorter struct {
	items, spare []sorted
}

// sorted is one entry: its index and the number it is sorted by.
type sorted struct {
	number uint64
	index  uint32
}

// radixMin is the number of entries from which on counting beats comparing.
const radixMin = 256

const radixBytes = 8

// sortEntries sorts the given entries of t. The result is valid until the sorter's next use.
func sortEntries[V any](s *sorter, t *table[V], indexes []uint32) []sorted {
	s.items = s.items[:0]
	shared := sharedPrefix(t, indexes)
	for _, i := range indexes {
		s.items = append(s.items, sorted{number: numberAt(t.key(int(i)), shared), index: i})
	}
	if len(s.items) < radixMin {
		slices.SortFunc(s.items, func(a, b sorted) int { return cmp.Compare(a.number, b.number) })
	} else {
		s.radix()
	}
	for from := 0; from < len(s.items); {
		to := from + 1
		for to < len(s.items) && s.items[to].number == s.items[from].number {
			to++
		}
		if to-from > 1 {
			slices.SortFunc(s.items[from:to], func(a, b sorted) int {
				return bytes.Compare(t.key(int(a.index)), t.key(int(b.index)))
			})
		}
		from = to
	}
	return s.items
}

// sharedPrefix is the length of what all the keys begin with.
func sharedPrefix[V any](t *table[V], indexes []uint32) int {
	if len(indexes) == 0 {
		return 0
	}
	first := t.key(int(indexes[0]))
	shared := len(first)
	for _, i := range indexes[1:] {
		key := t.key(int(i))
		if len(key) >= shared && string(key[:shared]) == string(first[:shared]) {
			continue
		}
		n := 0
		for n < min(shared, len(key)) && key[n] == first[n] {
			n++
		}
		shared = n
	}
	return shared
}

// numberAt reads eight bytes, as if zeros followed the key.
func numberAt(key []byte, at int) uint64 {
	if len(key) >= at+radixBytes {
		return binary.BigEndian.Uint64(key[at:])
	}
	var b [radixBytes]byte
	copy(b[:], key[at:])
	return binary.BigEndian.Uint64(b[:])
}

// radix sorts the items by number, from the lowest byte to the highest, leaving out bytes in which all agree.
func (s *sorter) radix() {
	var counts [radixBytes][256]uint32
	for _, it := range s.items {
		for b := range radixBytes {
			counts[b][byte(it.number>>(8*b))]++
		}
	}
	s.spare = slices.Grow(s.spare[:0], len(s.items))[:len(s.items)]
	for b := range radixBytes {
		count := &counts[b]
		if count[byte(s.items[0].number>>(8*b))] == uint32(len(s.items)) {
			continue
		}
		var sum uint32
		for i, n := range count {
			count[i] = sum
			sum += n
		}
		for _, it := range s.items {
			digit := byte(it.number >> (8 * b))
			s.spare[count[digit]] = it
			count[digit]++
		}
		s.items, s.spare = s.spare, s.items
	}
}
