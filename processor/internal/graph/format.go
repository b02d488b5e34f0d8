package graph

import (
	"compress/flate"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/millrace/millrace/state"
)

// A Format is what the records of a repartition topic are written in: the formats of
// their keys and values. Both ends of the topic are of one version of the application,
// but the records that are under way in it may be of another, older or newer. So each
// says by a hash what it is written in, and before the first one that a task writes
// into a partition comes a control record with the words. What a reader has committed
// says both of what it reads.
//
//	words, compressed: uvarint length | the format of the keys | the format of the values
type Format struct {
	keys, values state.Trait
	hash         FormatHash
	words        string
}

// A FormatHash stands for a format in the stamp of a record; 0 is not known.
type FormatHash uint64

// formatWordsMax bounds the words, in bytes: those of some 600 fields of a struct as
// JSON. A longer format is told by its hash alone. formatTextMax bounds what they
// may be without compression.
const (
	formatWordsMax = 8 << 10
	formatTextMax  = 1 << 20
)

// NewFormat returns the format of a repartition topic.
func NewFormat(keys, values state.Trait) *Format {
	keys.Name, values.Name = "keys", "values"
	text := binary.AppendUvarint(nil, uint64(len(keys.Value)))
	text = append(append(text, keys.Value...), values.Value...)
	sum := sha256.Sum256(text)
	f := &Format{keys: keys, values: values, hash: max(FormatHash(binary.BigEndian.Uint64(sum[:])), 1)}
	if words := pack(text); len(text) <= formatTextMax && len(words) <= formatWordsMax {
		f.words = words
	}
	return f
}

// Hash is the format's.
func (f *Format) Hash() FormatHash { return f.hash }

// Words are what the hash stands for; empty if they are too many.
func (f *Format) Words() string { return f.words }

func pack(text []byte) string {
	var b strings.Builder
	w, _ := flate.NewWriter(&b, flate.BestCompression) // the level is one
	_, _ = w.Write(text)                               // a Builder takes everything
	_ = w.Close()
	return b.String()
}

func unpack(words string) ([]byte, error) {
	r := io.LimitReader(flate.NewReader(strings.NewReader(words)), formatTextMax+1)
	text, err := io.ReadAll(r)
	if err == nil && len(text) > formatTextMax {
		err = errors.New("too long")
	}
	return text, err
}

// Reads returns nil if records that were written in the format of these words are
// read, else what of it is not.
func (f *Format) Reads(words string) error {
	text, err := unpack(words)
	n, size := binary.Uvarint(text)
	if err != nil || size <= 0 || n > uint64(len(text)-size) {
		return fmt.Errorf("format %x: no version of this library has written that", words)
	}
	keys, values := string(text[size:][:n]), string(text[size:][n:])
	var all []string
	for _, d := range state.Compare([]state.Trait{{Name: "keys", Value: keys}, {Name: "values", Value: values}}, []state.Trait{f.keys, f.values}) {
		all = append(all, d.String())
	}
	if len(all) == 0 {
		return nil
	}
	return errors.New(strings.Join(all, "; "))
}
