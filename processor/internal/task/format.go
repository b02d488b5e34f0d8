package task

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/millrace/millrace/processor/internal/graph"
)

// What the records of a repartition topic are written in (graph.Format) may change
// while records are under way, and while tasks of two versions write. A reader
// compares the hash that each record carries with the last one it has taken; only
// where they differ it looks further: for the words that the hash stands for, which
// are its own, or came with a control record, or are what an earlier owner of the
// task has met and put into the metadata of its offset. A format that it does not
// read, or has no words for, is refused before the record is decoded. The version
// that wrote the records can always go on with them.

// formatsKept bounds the formats that an input remembers, its own among them.
const formatsKept = 4

// formats is what an input that reads a repartition topic knows of its records.
//
// Always: taken is the hash of a format that is read, or 0.
type formats struct {
	own   *graph.Format
	known []string // texts: the own first, then the latest that was met
	taken graph.FormatHash
}

func newFormats(own *graph.Format, restored []string) formats {
	f := formats{own: own}
	if own == nil {
		return f
	}
	f.taken = own.Hash()
	for _, text := range slices.Backward(restored) {
		f.learn(text)
	}
	return f
}

// learn takes in the words of a format that may be met.
func (f *formats) learn(text string) {
	if f.own == nil || text == "" || text == f.own.Text() {
		return
	}
	at := slices.Index(f.known, text)
	if at < 0 {
		f.known = append(f.known, text)
		at = len(f.known) - 1
	}
	copy(f.known[1:at+1], f.known[:at])
	f.known[0] = text
	f.known = f.known[:min(len(f.known), formatsKept-1)]
}

// texts are what is to be remembered, the own first.
func (f *formats) texts() []string {
	if f.own == nil {
		return nil
	}
	return append([]string{f.own.Text()}, f.known...)
}

// hear takes note of what a stamp says of formats, and refuses a record that
// cannot be read. Records of versions that did not say are taken as they are.
func (f *formats) hear(s *graph.Stamp) error {
	if len(s.FormatText) > 0 {
		f.learn(string(s.FormatText))
	}
	if s.Control || s.Format == f.taken || s.Format == 0 || f.own == nil {
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
	for _, text := range f.known {
		if graph.HashFormat(text) == hash {
			return f.own.Reads(text)
		}
	}
	return fmt.Errorf("format of hash %x: %w", uint64(hash), graph.ErrFormat)
}

// FormatRefused returns why records that were under way when an offset was
// committed cannot be read by a version that reads own; nil if they can, or it is
// not known what they are.
func FormatRefused(own *graph.Format, m Meta) error {
	if own == nil || len(m.Formats) == 0 || m.Formats[0] == "" {
		return nil
	}
	return own.Reads(m.Formats[0])
}

// appendFormats appends as many texts as there is room for, in bytes, after their
// number. One that has no room is left out with all after it.
func appendFormats(b []byte, texts []string, room int) []byte {
	var list []byte
	n := 0
	for _, text := range texts {
		one := append(binary.AppendUvarint(nil, uint64(len(text))), text...)
		if 1+len(list)+len(one) > room {
			break
		}
		list = append(list, one...)
		n++
	}
	return append(append(b, byte(n)), list...)
}

// formats reads them.
func (r *metaReader) formats() (texts []string) {
	n := int(r.take(1)[0])
	for r.bad = r.bad || n > formatsKept; !r.bad && n > 0; n-- {
		size := r.uvarint()
		if r.bad = r.bad || size > metaLimit; r.bad {
			return nil
		}
		texts = append(texts, string(r.take(int(size))))
	}
	return texts
}
