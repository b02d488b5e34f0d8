package task

import (
	"encoding/binary"
	"slices"
)

// Failed are the records of an input that failed while something of the task was
// away (Note.Stopped), in a version of the application that did not have it. A
// record that fails leaves no trace, and so it must leave none in what was away:
// the operators that refused the record are not asked again when that is brought
// up. Once nothing is away the list is empty.
type Failed struct {
	Offsets []int64 // ascending
	// More says that there were more than have room beside the offset. What is
	// away cannot be brought up then.
	More bool
}

// failedRoom bounds what the list takes in the metadata of an offset, in bytes:
// some 200 to 700 records.
const failedRoom = 700

// add takes a record in.
func (f *Failed) add(offset int64) {
	at, known := slices.BinarySearch(f.Offsets, offset)
	if known || f.More {
		return
	}
	f.Offsets = slices.Insert(f.Offsets, at, offset)
	if len(f.append(nil)) > failedRoom {
		f.Offsets, f.More = slices.Delete(f.Offsets, at, at+1), true
	}
}

func (f *Failed) has(offset int64) bool {
	_, known := slices.BinarySearch(f.Offsets, offset)
	return known
}

func (f *Failed) clone() Failed { return Failed{slices.Clone(f.Offsets), f.More} }

// append appends the number of offsets and the distance of each to the one before.
func (f *Failed) append(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(len(f.Offsets)))
	last := int64(0)
	for _, offset := range f.Offsets {
		b = binary.AppendUvarint(b, uint64(offset-last))
		last = offset
	}
	return b
}

func (r *metaReader) failed() (f Failed) {
	n := r.uvarint()
	last := int64(0)
	for r.bad = r.bad || n > failedRoom; !r.bad && n > 0; n-- {
		last += int64(r.uvarint())
		r.bad = r.bad || last < 0
		f.Offsets = append(f.Offsets, last)
	}
	return f
}

// away reports whether something that the input has fed is away.
func away(notes []Note) bool {
	return slices.ContainsFunc(notes, func(n Note) bool { return n.Stopped != Following })
}
