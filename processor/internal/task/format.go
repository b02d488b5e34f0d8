package task

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/millrace/millrace/processor/internal/graph"
)

// What the records of a repartition topic are written in (graph.Format) may change
// while records are under way, and while tasks of two versions write.
//
//   - A reader compares the hash that each record carries with the last one it has
//     taken. Only where they differ it looks further.
//   - Then it needs the words that the hash stands for. They came with a control
//     record; or an earlier owner of the task has met them and has put them into
//     the metadata of its offset.
//   - A format that it does not read, or has no words for, is refused before the
//     record is decoded.

// ErrFormat says that another version of the application has written a record of a
// repartition topic in a format that this one does not read.
var ErrFormat = errors.New("the record is of another version of the application, and this one does not read its format: if that version is being deployed, this instance has to give way and the others go on; if it was taken back, deploy it again until it has processed what it wrote")

// formatsKept bounds the formats that an input remembers, its own among them.
const formatsKept = 4

// A FormatNote is what the metadata of an offset say of one format.
type FormatNote struct {
	Hash  graph.FormatHash
	Words string // graph.Format.Words; empty if there was no room for them
}

// A heard format is one that others may write.
type heard struct {
	FormatNote
	asked bool
	why   error // it is not read
}

// formats is what an input that reads a repartition topic knows of its records.
//
// Always: taken is the hash of a format that is read.
//
// Rejected: the formats as a trait of the stores behind the topic, for a reader
// may have none; the words in each record's stamp, for they are longer than
// most records; notes on them beside the offsets of those that write, for these
// forget the version before the last.
type formats struct {
	own   *graph.Format
	heard []heard // the latest first
	taken graph.FormatHash
}

func newFormats(own *graph.Format, restored []FormatNote) formats {
	f := formats{own: own}
	if own == nil {
		return f
	}
	f.taken = own.Hash()
	for _, n := range slices.Backward(restored) {
		f.learn(n)
	}
	return f
}

// unsaid reports whether an offset says of another format than the own that the
// version which committed it reads that. The next version would go by it, so it is
// said anew even where no record comes.
func (f *formats) unsaid(restored []FormatNote) bool {
	return f.own != nil && len(restored) > 0 && restored[0].Hash != f.own.Hash()
}

// learn takes in a format that may be met.
func (f *formats) learn(n FormatNote) {
	if f.own == nil || n.Words == "" || n.Hash == f.own.Hash() {
		return
	}
	h := heard{FormatNote: n}
	if at := slices.IndexFunc(f.heard, func(h heard) bool { return h.Hash == n.Hash }); at >= 0 {
		h = f.heard[at]
		f.heard = slices.Delete(f.heard, at, at+1)
	}
	f.heard = slices.Insert(f.heard, 0, h)
	f.heard = f.heard[:min(len(f.heard), formatsKept-1)]
}

// forget drops the formats of which no record is to come any more. One that comes all
// the same is announced anew.
func (f *formats) forget(mayHold func(graph.FormatHash) bool) {
	f.heard = slices.DeleteFunc(f.heard, func(h heard) bool {
		gone := !mayHold(h.Hash)
		if gone && h.Hash == f.taken {
			f.taken = f.own.Hash()
		}
		return gone
	})
}

// notes are what is to be remembered, the own first.
func (f *formats) notes() []FormatNote {
	if f.own == nil {
		return nil
	}
	all := append(make([]FormatNote, 0, formatsKept), FormatNote{f.own.Hash(), f.own.Words()})
	for _, h := range f.heard {
		all = append(all, h.FormatNote)
	}
	return all
}

// hear takes note of what a stamp says of formats, and refuses what cannot be read:
// records, and the words that announce them. Records of versions that did not say are
// taken as they are.
func (f *formats) hear(s *graph.Stamp) error {
	if s.Format == f.taken || s.Format == 0 || f.own == nil {
		return nil
	}
	if len(s.Words) > 0 {
		f.learn(FormatNote{s.Format, string(s.Words)})
	} else if s.Control {
		return nil
	}
	if err := f.admit(s.Format); err != nil {
		return err
	}
	f.taken = s.Format
	return nil
}

func (f *formats) admit(hash graph.FormatHash) error {
	if hash == f.own.Hash() {
		return nil
	}
	at := slices.IndexFunc(f.heard, func(h heard) bool { return h.Hash == hash })
	if at < 0 {
		return fmt.Errorf("format %x, which is not known in words", uint64(hash))
	}
	h := &f.heard[at]
	if !h.asked {
		h.asked, h.why = true, f.own.Reads(h.Words)
	}
	return h.why
}

// A FormatCheck looks whether records that are under way can be read, before a task
// reads them.
type FormatCheck struct{ formats formats }

// NewFormatCheck returns a check for a version that reads own, where an offset was
// committed with these metadata.
func NewFormatCheck(own *graph.Format, m Meta) *FormatCheck {
	return &FormatCheck{newFormats(own, m.Formats)}
}

// Next returns why the next record, which has this stamp, cannot be read; nil if it can.
func (c *FormatCheck) Next(s *graph.Stamp) error { return c.formats.hear(s) }

// FormatRefused returns why a version that reads own may not go on where the
// metadata of an offset were committed; nil if it may, or the version that committed
// did not say. What that version has met of others is not asked: whether it is still
// to come is seen in what is under way.
func FormatRefused(own *graph.Format, m Meta) error {
	if own == nil || len(m.Formats) == 0 || m.Formats[0].Hash == own.Hash() {
		return nil
	}
	before := m.Formats[0]
	if before.Words == "" {
		return fmt.Errorf("was format %x, is %x, and the first is too long to be kept in words", uint64(before.Hash), uint64(own.Hash()))
	}
	return own.Reads(before.Words)
}

// formatLeast is what the first format takes in any case, with the number of them.
const formatLeast = 1 + 8 + 1

// appendFormats appends the number of formats and, as far as there is room in bytes,
// of each the hash, the length of the words and the words. Words without room are
// left out, and what comes after them too.
func appendFormats(b []byte, all []FormatNote, room int) []byte {
	var list []byte
	n := 0
	for _, note := range all {
		one, whole := note.append(nil, room-1-len(list))
		list = append(list, one...)
		if len(one) > 0 {
			n++
		}
		if !whole {
			break
		}
	}
	return append(append(b, byte(n)), list...)
}

// append appends the note, without its words where there is no room for them, and
// nothing where there is none for the rest. It reports whether everything was appended.
func (n FormatNote) append(b []byte, room int) (_ []byte, whole bool) {
	one := binary.BigEndian.AppendUint64(nil, uint64(n.Hash))
	all := append(binary.AppendUvarint(one, uint64(len(n.Words))), n.Words...)
	switch {
	case len(all) <= room:
		return append(b, all...), true
	case len(one)+1 <= room:
		return append(append(b, one...), 0), false
	}
	return b, false
}

// formats reads what appendFormats wrote.
func (r *metaReader) formats() (all []FormatNote) {
	n := int(r.take(1)[0])
	for r.bad = r.bad || n > formatsKept; !r.bad && n > 0; n-- {
		note := FormatNote{Hash: graph.FormatHash(binary.BigEndian.Uint64(r.take(8)))}
		size := r.uvarint()
		if r.bad = r.bad || size > metaLimit; r.bad {
			return nil
		}
		note.Words = string(r.take(int(size)))
		all = append(all, note)
	}
	return all
}
