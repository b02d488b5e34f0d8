package state

import (
	"encoding/binary"
	"fmt"
)

// Keys of the engine begin with the two bytes of a store id, or with the reserved byte 0x00. Ids start at 0x0100, so
// that no store's keys begin with 0x00, and end below 0xFFFF, so that each store has an upper bound.
const (
	reserved     = 0x00
	storeIDFirst = 0x0100
	storeIDLast  = 0xFFFE
)

// Reserved keys: 0x00 and one of these, for three of them followed by the store's name.
const (
	keyIdentity  = 'i'
	keyStore     = 's'
	keyChangelog = 'c'
	keyPosition  = 'p'
	keyApplied   = 'w'
)

// Tags are the first byte of a changelog key.
const (
	tagPosition = 0x00
	tagKeyValue = 0x01
	tagWindow   = 0x02
)

// startSize is the size of an encoded window start.
const startSize = 8

// identityFormat is the version of everything in the engine.
const identityFormat = 2

func reservedKey(kind byte, name string) []byte {
	return append([]byte{reserved, kind}, name...)
}

// appendStart writes a window start so that bytes sort as the numbers do: big-endian with the sign bit flipped.
func appendStart(dst []byte, start int64) []byte {
	return binary.BigEndian.AppendUint64(dst, uint64(start)^1<<63)
}

func decodeStart(b []byte) int64 {
	return int64(binary.BigEndian.Uint64(b) ^ 1<<63)
}

func appendStoreID(dst []byte, id uint16) []byte {
	return binary.BigEndian.AppendUint16(dst, id)
}

// storeRange holds all keys of a store.
func storeRange(id uint16) (from, to []byte) {
	return appendStoreID(nil, id), appendStoreID(nil, id+1)
}

// windowRange holds all keys of one window of a store.
func windowRange(id uint16, start int64) (from, to []byte) {
	from = appendStart(appendStoreID(nil, id), start)
	_, to = storeRange(id)
	if next := start + 1; next > start {
		to = appendStart(appendStoreID(nil, id), next)
	}
	return from, to
}

// closedRange holds all keys of the windows of a store that start below a bound.
func closedRange(id uint16, below int64) (from, to []byte) {
	return appendStoreID(nil, id), appendStart(appendStoreID(nil, id), below)
}

// storeRecord is what the engine keeps of a store's spec.
type storeRecord struct {
	id   uint16
	kind Kind
}

func (s storeRecord) append(dst []byte) []byte {
	return append(binary.BigEndian.AppendUint16(dst, s.id), byte(s.kind))
}

func decodeStoreRecord(b []byte) (storeRecord, error) {
	r := reader{rest: b}
	s := storeRecord{id: r.uint16(), kind: Kind(r.byte())}
	if s.id < storeIDFirst || s.id > storeIDLast || s.kind != KeyValue && s.kind != Window {
		r.bad = true
	}
	return s, r.end("store record")
}

// changelogRecord is how far a store reflects its changelog, and which topic that was.
type changelogRecord struct {
	next    int64
	topicID string
}

func (c changelogRecord) append(dst []byte) []byte {
	return append(binary.BigEndian.AppendUint64(dst, uint64(c.next)), c.topicID...)
}

func decodeChangelogRecord(b []byte) (changelogRecord, error) {
	r := reader{rest: b}
	c := changelogRecord{next: r.int64()}
	c.topicID = string(r.take(len(r.rest)))
	if c.next < 0 {
		r.bad = true
	}
	return c, r.end("changelog record")
}

func (id Identity) append(dst []byte) []byte {
	return appendText(appendText(append(dst, identityFormat), id.ApplicationID), id.Task)
}

func decodeIdentity(b []byte) (Identity, error) {
	if len(b) > 0 && b[0] > identityFormat {
		return Identity{}, fmt.Errorf("state: store of format %d, this version knows %d: %w; upgrade Millrace",
			b[0], identityFormat, ErrNewerFormat)
	}
	r := reader{rest: b}
	if v := r.byte(); v != identityFormat && v != legacyFormat {
		r.bad = true
	}
	id := Identity{ApplicationID: r.text(), Task: r.text()}
	return id, r.end("identity record")
}
