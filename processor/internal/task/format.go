package task

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/millrace/millrace/processor/internal/graph"
)

// What the records of a repartition topic are written in (graph.Format) may change
// while records are under way, and while tasks of two versions write. A reader
// compares the hash that each record carries with the last one it has taken; only
// where they differ it looks further: for the words that the hash stands for, which
// came with a control record, or are what an earlier owner of the task has met and
// put into the metadata of its offset. A format that it does not read, or has no
// words for, is refused before the record is decoded.

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
		return fmt.Errorf("format %x, which is not known in words: %w", uint64(hash), ErrFormat)
	}
	h := &f.heard[at]
	if !h.asked {
		h.asked, h.why = true, f.own.Reads(h.Words)
	}
	if h.why != nil {
		return fmt.Errorf("%w: %w", h.why, ErrFormat)
	}
	return nil
}

// A FeedNote is what the first input of a task that writes a repartition topic
// remembers of that: nobody may have read there yet.
type FeedNote struct {
	Topic uint64 // NoteTopic of the topic's name
	FormatNote
}

// feedNotes are those of a task: on the topics that it writes, and on others that it
// has written.
func feedNotes(sub *graph.Subtopology, restored []FeedNote) (all []FeedNote) {
	for _, n := range sub.Nodes {
		if n.Kind == graph.SinkNode && n.Format != nil {
			all = append(all, FeedNote{NoteTopic(n.Topic), FormatNote{n.Format.Hash(), n.Format.Words()}})
		}
	}
	for _, was := range restored {
		if len(all) < TopicsMax && !slices.ContainsFunc(all, func(n FeedNote) bool { return n.Topic == was.Topic }) {
			all = append(all, was)
		}
	}
	return all
}

// FormatsRefused returns why a version may not go on where the metadata of the offset
// of a topic were committed, and which repartition topic it is about; nil if it may,
// or the version that committed did not say. formats are those of its repartition
// topics, by name.
func FormatsRefused(formats map[string]*graph.Format, topic string, m Meta) (about string, err error) {
	if own := formats[topic]; own != nil && len(m.Formats) > 0 {
		if err := m.Formats[0].refused(own); err != nil {
			return topic, err
		}
	}
	for name, own := range formats {
		for _, n := range m.Feeds {
			if n.Topic != NoteTopic(name) {
				continue
			}
			if err := n.refused(own); err != nil {
				return name, err
			}
		}
	}
	return "", nil
}

// refused returns why a version that reads own does not read this; nil if it does.
func (n FormatNote) refused(own *graph.Format) error {
	if n.Hash == own.Hash() {
		return nil
	}
	if n.Words == "" {
		return fmt.Errorf("was format %x, is %x, and the first is too long to be kept in words", uint64(n.Hash), uint64(own.Hash()))
	}
	return own.Reads(n.Words)
}

// formatLeast is what the first format takes in any case, with the numbers of formats and feeds.
const formatLeast = 1 + 8 + 1 + 1

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

// appendFeeds appends the number of notes and the notes, as far as there is room.
func appendFeeds(b []byte, all []FeedNote, room int) []byte {
	var list []byte
	n := 0
	for _, note := range all {
		topic := binary.BigEndian.AppendUint64(nil, note.Topic)
		one, _ := note.append(topic, room-1-len(list)-len(topic))
		if len(one) == len(topic) {
			break
		}
		list = append(list, one...)
		n++
	}
	return append(append(b, byte(n)), list...)
}

// formats reads what appendFormats wrote.
func (r *metaReader) formats() (all []FormatNote) {
	for n := r.count(formatsKept); n > 0; n-- {
		all = append(all, r.format())
	}
	return all
}

// feeds reads what appendFeeds wrote.
func (r *metaReader) feeds() (all []FeedNote) {
	for n := r.count(TopicsMax); n > 0; n-- {
		all = append(all, FeedNote{binary.BigEndian.Uint64(r.take(8)), r.format()})
	}
	return all
}

// count is a number of a byte, of what there may be so many of.
func (r *metaReader) count(most int) int {
	n := int(r.take(1)[0])
	if r.bad = r.bad || n > most; r.bad {
		return 0
	}
	return n
}

func (r *metaReader) format() FormatNote {
	n := FormatNote{Hash: graph.FormatHash(binary.BigEndian.Uint64(r.take(8)))}
	size := r.uvarint()
	if r.bad = r.bad || size > metaLimit; !r.bad {
		n.Words = string(r.take(int(size)))
	}
	return n
}
