package graph

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"github.com/millrace/millrace/state"
)

// A Format is what the records of a repartition topic are written in: the formats of
// their keys and values. Both ends of the topic are of one version of the application,
// but the records that are under way in it may be of another, older or newer. So each
// says by a hash what it is written in, and the first one that a task writes into a
// partition says it in words; what a reader has committed says in words what it reads.
//
//	text: uvarint length | the format of the keys | the format of the values
type Format struct {
	keys, values state.Trait
	text         string
	hash         FormatHash
}

// A FormatHash stands for a format in the stamp of a record; 0 is not known.
type FormatHash uint64

// formatTextMax bounds the words, in bytes. A longer format is told by its hash alone.
const formatTextMax = 32 << 10

// NewFormat returns the format of a repartition topic.
func NewFormat(keys, values state.Trait) *Format {
	text := binary.AppendUvarint(nil, uint64(len(keys.Value)))
	text = append(append(text, keys.Value...), values.Value...)
	return &Format{keys: keys, values: values, text: string(text), hash: HashFormat(string(text))}
}

// HashFormat is the hash of a format's text.
func HashFormat(text string) FormatHash {
	sum := sha256.Sum256([]byte(text))
	return max(FormatHash(binary.BigEndian.Uint64(sum[:])), 1)
}

// Hash is the format's.
func (f *Format) Hash() FormatHash { return f.hash }

// Text is the format in words; empty if they are too many.
func (f *Format) Text() string {
	if len(f.text) > formatTextMax {
		return ""
	}
	return f.text
}

// ErrFormat says that records of a repartition topic were written in a format that
// this version does not read.
var ErrFormat = errors.New("records of the repartition topic are written in another format than this version reads; go back to the version that wrote them, and let it process what is under way before you give the GroupBy or Repartition another name with the new format; or start the application over")

// Reads returns nil if records that were written in the format of this text are read.
func (f *Format) Reads(text string) error {
	if text == f.text {
		return nil
	}
	n, size := binary.Uvarint([]byte(text))
	if size <= 0 || n > uint64(len(text)-size) {
		return fmt.Errorf("format %q: %w", text, ErrFormat)
	}
	var all []string
	for _, d := range []state.Difference{
		{Trait: "keys", Was: text[size : size+int(n)], Is: f.keys.Value},
		{Trait: "values", Was: text[size+int(n):], Is: f.values.Value},
	} {
		reads := f.keys.Reads
		if d.Trait == "values" {
			reads = f.values.Reads
		}
		if d.Was != d.Is && (reads == nil || !reads(d.Was)) {
			all = append(all, d.String())
		}
	}
	if len(all) > 0 {
		return fmt.Errorf("%s: %w", strings.Join(all, "; "), ErrFormat)
	}
	return nil
}
