package windowing

import (
	"fmt"

	"github.com/millrace/millrace/schemaregistry/serde"
)

// Definition says how the records of a key are cut into windows: Windows, SessionWindows or SlidingWindows. There are
// no others, for each kind has an aggregation of its own.
type Definition interface {
	// Validate returns all that is wrong with the definition, joined; nil if nothing is.
	Validate() error
	// Emission is when results are sent on.
	Emission() Emit
	// Latest is the window that closes last among those a record of this time may be in, before it is joined with
	// others: what is named when the record is late. It is false if there is none.
	Latest(ts EventTime) (Window, bool)

	definition()
}

func (w Windows) definition() {}

// ResultKeySerde is the serde of the results' keys, in the bytes of Kafka Streams: KeySerde for SlidingWindows and for
// Windows of one size, SessionKeySerde, which writes both bounds, for SessionWindows and for Windows of varying sizes.
func ResultKeySerde[K any](key serde.Serde[K], d Definition) serde.Serde[Key[K]] {
	switch d := d.(type) {
	case SessionWindows:
		return SessionKeySerde(key)
	case SlidingWindows:
		return KeySerde(key, d.difference)
	case Windows:
		if d.kind != nil {
			return SessionKeySerde(key)
		}
		return KeySerde(key, d.size)
	}
	return serde.Serde[Key[K]](nil)
}

// checkEmit refuses what sessions and sliding windows do not have.
func checkEmit(e Emit) error {
	if e > OnUpdate {
		return fmt.Errorf("windowing: sessions and sliding windows cannot be sent %v; use OnCommit, OnClose or OnUpdate", e)
	}
	return nil
}
