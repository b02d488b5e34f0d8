// Package serdetest is the conformance suite of serde.Serde: whoever writes a serde runs it.
package serdetest

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/millrace/millrace/schemaregistry/serde"
)

// Run checks that a serde keeps the contract of serde.Serde and serde.Codec, in each role. values are at least two
// different samples, the zero value, extremes and the empty ones among them; equal says when two values are the
// same (for floats: by their bits).
func Run[T any](t *testing.T, s serde.Serde[T], values []T, equal func(a, b T) bool) {
	t.Helper()
	for _, role := range []serde.Role{serde.Key, serde.Value, serde.State} {
		t.Run(role.String(), func(t *testing.T) {
			if err := check(s, serde.Use{Role: role, Name: "serdetest"}, values, equal); err != nil {
				t.Error(err)
			}
		})
	}
}

// check returns all violations found.
func check[T any](s serde.Serde[T], use serde.Use, values []T, equal func(a, b T) bool) error {
	writer, err := s.Bind(use)
	if err != nil {
		return fmt.Errorf("bind: %w", err)
	}
	reader, err := s.Bind(use)
	if err != nil {
		return fmt.Errorf("bind a second time: %w", err)
	}
	if len(values) < 2 {
		return errors.New("the suite needs at least two sample values")
	}
	var found []error
	encoded := make([][]byte, len(values))
	for i, v := range values {
		if encoded[i], err = appends(writer, v); err != nil {
			found = append(found, fmt.Errorf("value %d (%v): %w", i, v, err))
			continue
		}
		if err := decodes(reader, encoded[i], v, equal); err != nil {
			found = append(found, fmt.Errorf("value %d (%v): %w", i, v, err))
		}
	}
	return errors.Join(append(found, distinct(values, encoded, equal))...)
}

// appends encodes v behind a prefix, with and without spare room, and compares.
func appends[T any](c serde.Codec[T], v T) ([]byte, error) {
	plain, err := c.Append(nil, v)
	if err != nil {
		return nil, fmt.Errorf("append: %w", err)
	}
	plain = append([]byte{}, plain...)
	for _, room := range []int{0, 1, 4096} {
		dst := append(make([]byte, 0, 6+room), "prefix"...)
		got, err := c.Append(dst, v)
		if err != nil {
			return nil, fmt.Errorf("append again: %w", err)
		}
		if !bytes.HasPrefix(got, []byte("prefix")) {
			return nil, fmt.Errorf("append overwrote what dst held: %x", got)
		}
		if !bytes.Equal(got[6:], plain) {
			return nil, fmt.Errorf("append is not repeatable: %x, then %x", plain, got[6:])
		}
	}
	return plain, nil
}

// decodes reads the encoding back, mistreats the source and tries damaged copies.
func decodes[T any](c serde.Codec[T], encoded []byte, v T, equal func(a, b T) bool) error {
	src := bytes.Clone(encoded)
	got, err := c.Decode(src)
	if err != nil {
		return fmt.Errorf("decode %x: %w", encoded, err)
	}
	if !bytes.Equal(src, encoded) {
		return fmt.Errorf("decode changed its source: %x", src)
	}
	for i := range src {
		src[i] ^= 0xA5
	}
	if !equal(got, v) {
		return fmt.Errorf("decode gave %v (or kept its source, which was overwritten)", got)
	}
	for cut := range encoded {
		if got, err := c.Decode(encoded[:cut]); err == nil && equal(got, v) {
			return fmt.Errorf("the first %d of %d bytes decode to the same value", cut, len(encoded))
		}
	}
	if got, err := c.Decode(append(bytes.Clone(encoded), 'x')); err == nil && equal(got, v) {
		return errors.New("a byte too many is not noticed")
	}
	return nil
}

// distinct checks that the same value has the same bytes, and only it.
func distinct[T any](values []T, encoded [][]byte, equal func(a, b T) bool) error {
	for i := range values {
		for j := range i {
			if encoded[i] == nil || encoded[j] == nil {
				continue
			}
			if equal(values[i], values[j]) != bytes.Equal(encoded[i], encoded[j]) {
				return fmt.Errorf("values %d (%v) and %d (%v): equal values need equal bytes, others different ones", j, values[j], i, values[i])
			}
		}
	}
	return nil
}
