package task

import (
	"encoding/binary"
	"hash/fnv"
	"math"
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
	// Watermark and Highest are the time of the input there, in ms;
	// math.MinInt64 if it is not known, or the topic is followed.
	Watermark, Highest int64
}

// Following is Note.Stopped of a topic that the committing version writes.
const Following = -1

// notesRoom bounds what the notes of an offset take, in bytes, so that there is
// room for the rest: for some hundred of them. The first ones are those on the
// topics that are written now.
const (
	notesRoom = 1500
	noteLeast = 8 + 4 + 1
	notesMax  = notesRoom / noteLeast
)

// TopicsMax is how many internal topics the tasks of a sub-topology may write:
// that many notes have room in any case.
const TopicsMax = 80

// NoteTopic is how a note knows a topic's name.
func NoteTopic(name string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(name)) // never fails
	return h.Sum64()
}

// NoteID is how a note knows a topic's id; 0 if that is not known.
func NoteID(id string) uint32 {
	if id == "" {
		return 0
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(id)) // never fails
	return max(h.Sum32(), 1)
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

// appendNotes appends the number of notes and the notes, as many as have room.
func appendNotes(b []byte, notes []Note) []byte {
	var list []byte
	n := 0
	for _, note := range notes {
		one := binary.BigEndian.AppendUint64(nil, note.Topic)
		one = binary.BigEndian.AppendUint32(one, note.ID)
		one = binary.AppendUvarint(one, uint64(note.Stopped+1))
		if note.Stopped != Following {
			one = binary.BigEndian.AppendUint64(one, uint64(note.Watermark))
			one = binary.BigEndian.AppendUint64(one, uint64(note.Highest))
		}
		if len(list)+len(one) > notesRoom {
			break
		}
		list = append(list, one...)
		n++
	}
	return append(binary.AppendUvarint(b, uint64(n)), list...)
}

// notes reads them; timed says that those of topics that are away have times.
func (r *metaReader) notes(timed bool) (all []Note) {
	n := r.uvarint()
	for r.bad = r.bad || n > notesMax; !r.bad && n > 0; n-- {
		note := Note{
			Topic: binary.BigEndian.Uint64(r.take(8)), ID: binary.BigEndian.Uint32(r.take(4)), Stopped: int64(r.uvarint()) - 1,
			Watermark: math.MinInt64, Highest: math.MinInt64,
		}
		if timed && note.Stopped != Following {
			note.Watermark, note.Highest = r.int64(), r.int64()
		}
		all = append(all, note)
	}
	return all
}
