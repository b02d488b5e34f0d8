package suppress

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/millrace/millrace/schemaregistry/serde"
	"github.com/millrace/millrace/state"
	"github.com/millrace/millrace/windowing"
)

// Held is what a suppression keeps of a key: its latest change.
type Held struct {
	// Start is the event time of the first change since the key was last sent: from it the time limit runs.
	Start windowing.EventTime
	// Time is the event time of the latest change.
	Time windowing.EventTime
	// Gone says that the latest change is a tombstone; Value is then empty.
	Gone bool
	// Value is the latest value, encoded.
	Value []byte
}

// Store is the handle of the store that a Suppressor works on: a key-value store, from the encoded key to its change.
func Store(name string) state.KV[[]byte, Held] {
	return state.KV[[]byte, Held]{Name: name, Key: serde.Bytes, Value: HeldSerde()}
}

// size is what counts for MaxBytes.
func (h *Held) size(key int) int { return key + len(h.Value) }

// heldFixed is what is encoded before the value.
const heldFixed = 8 + 8 + 1

// HeldSerde is how a change that waits is stored: start and time, 8 bytes each, big-endian; 1 if it is a tombstone, else
// 0; the value.
func HeldSerde() serde.Serde[Held] { return serde.Of[Held](heldCodec{}) }

type heldCodec struct{}

// Format implements serde.Formatted.
func (heldCodec) Format() string { return "held changes" }

func (heldCodec) Append(dst []byte, h Held) ([]byte, error) {
	dst = binary.BigEndian.AppendUint64(dst, uint64(h.Start))
	dst = binary.BigEndian.AppendUint64(dst, uint64(h.Time))
	if h.Gone {
		return append(dst, 1), nil
	}
	return append(append(dst, 0), h.Value...), nil
}

func (heldCodec) Decode(src []byte) (Held, error) {
	if len(src) < heldFixed || src[16] > 1 || src[16] == 1 && len(src) > heldFixed {
		return Held{}, fmt.Errorf("windowing: a suppressed change of %d bytes is not one that was written here", len(src))
	}
	h := Held{
		Start: windowing.EventTime(binary.BigEndian.Uint64(src)), Time: windowing.EventTime(binary.BigEndian.Uint64(src[8:])), Gone: src[16] == 1,
	}
	if !h.Gone {
		h.Value = bytes.Clone(src[heldFixed:])
	}
	return h, nil
}
