package task

import (
	"encoding/binary"
	"hash/fnv"
)

// A Note is what the offsets of a task remember of one internal topic that it
// writes, the changelog of a store or a repartition topic: which topic of that
// name it was, and whether the task has followed there. So a topic that was
// deleted and made anew is noticed even where all local state is lost, and a store
// that was away for some versions knows what it has missed.
//
// Names and ids are kept as hashes: the metadata of an offset has little room.
type Note struct {
	Topic uint64 // NoteTopic of the topic's name
	ID    uint32 // NoteID of the topic's id
	// Stopped is the offset of the input at which the version that committed
	// last went on without the topic; Following if it has it.
	Stopped int64
}

// Following is Note.Stopped of a topic that the committing version writes.
const Following = -1

// notesMax bounds the notes of an offset, so that there is room for the rest.
const notesMax = 150

// NoteTopic is how a note knows a topic's name.
func NoteTopic(name string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(name)) // never fails
	return h.Sum64()
}

// NoteID is how a note knows a topic's id.
func NoteID(id string) uint32 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(id)) // never fails
	return h.Sum32()
}

// FindNote returns the note on a topic; false if there is none.
func FindNote(notes []Note, topic string) (Note, bool) {
	hash := NoteTopic(topic)
	for _, n := range notes {
		if n.Topic == hash {
			return n, true
		}
	}
	return Note{}, false
}

// noteMost is the most bytes that a note takes.
const noteMost = 8 + 4 + binary.MaxVarintLen64

// appendNotes appends the number of notes and the notes, as many as there is room
// for: the first ones, which are of the topics that are written now.
func appendNotes(b []byte, notes []Note, room int) []byte {
	n := min(len(notes), notesMax, max(room-len(b)-binary.MaxVarintLen16, 0)/noteMost)
	b = binary.AppendUvarint(b, uint64(n))
	for _, note := range notes[:n] {
		b = binary.BigEndian.AppendUint64(b, note.Topic)
		b = binary.BigEndian.AppendUint32(b, note.ID)
		b = binary.AppendUvarint(b, uint64(note.Stopped+1))
	}
	return b
}

func (r *metaReader) notes() (all []Note) {
	n := r.uvarint()
	for r.bad = r.bad || n > notesMax; !r.bad && n > 0; n-- {
		all = append(all, Note{
			Topic: binary.BigEndian.Uint64(r.take(8)), ID: binary.BigEndian.Uint32(r.take(4)), Stopped: int64(r.uvarint()) - 1,
		})
	}
	return all
}
