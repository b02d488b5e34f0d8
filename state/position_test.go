package state

import (
	"bytes"
	"errors"
	"math"
	"reflect"
	"testing"
)

func samplePosition() Position {
	return Position{
		Inputs: []Input{
			{Topic: "web.access", TopicID: "0f", Partition: 3, Offset: 1234, Watermark: 1431829260000, Highest: 1431829265000},
			{Topic: "users", Partition: 3, Offset: 0, Watermark: math.MinInt64, Highest: math.MinInt64, Upstream: []Upstream{{Watermark: 7, Ended: true}}},
		},
		Closing: Closing{Watermark: 1431829200000, Below: 1431828900000},
		Run:     "r-1",
		Traits:  []Trait{{Name: "store", Value: "window"}, {Name: "windows", Value: "tumbling 1m0s"}},
	}
}

func TestPositionRoundTrip(t *testing.T) {
	for name, p := range map[string]Position{
		"zero":   {},
		"sample": samplePosition(),
		"edges": {Inputs: []Input{{Partition: math.MaxInt32, Offset: math.MaxInt64, Watermark: math.MaxInt64}},
			Closing: noClosing},
	} {
		t.Run(name, func(t *testing.T) {
			b := p.Append([]byte("before"))
			got, err := DecodePosition(b[len("before"):])
			if err != nil || !reflect.DeepEqual(got, p) {
				t.Errorf("decoded %+v, %v; want %+v", got, err, p)
			}
		})
	}
}

func TestDecodePositionRefuses(t *testing.T) {
	good := samplePosition().Append(nil)
	for i := range good {
		if _, err := DecodePosition(good[:i]); !errors.Is(err, ErrForeign) {
			t.Errorf("cut at %d: %v, want ErrForeign", i, err)
		}
	}
	for name, c := range map[string]struct {
		bytes []byte
		want  error
	}{
		"one byte more":   {append(bytes.Clone(good), 0), ErrForeign},
		"format 0":        {append([]byte{0}, good[1:]...), ErrForeign},
		"newer format":    {append([]byte{positionFormat + 1}, good[1:]...), ErrNewerFormat},
		"long varint":     {[]byte{positionFormat, 0x80, 0x00, 0, 0}, ErrForeign},
		"endless varint":  {append([]byte{positionFormat}, bytes.Repeat([]byte{0xFF}, 20)...), ErrForeign},
		"2^60 inputs":     {[]byte{positionFormat, 0, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10}, ErrForeign},
		"text of 2^63":    {[]byte{positionFormat, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01}, ErrForeign},
		"text too long":   {[]byte{positionFormat, 5, 'a'}, ErrForeign},
		"input too short": {append([]byte{positionFormat, 0, 1}, make([]byte, inputFixed-1)...), ErrForeign},
	} {
		if _, err := DecodePosition(c.bytes); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}
