package windowing

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/schemaregistry/serde"
	"github.com/millrace/millrace/schemaregistry/serde/serdetest"
)

func windowedKey(key string, start EventTime, size time.Duration) Key[string] {
	return Key[string]{Key: key, Window: Tumbling(size).starting(start)}
}

func TestKeySerdeConforms(t *testing.T) {
	serdetest.Run(t, KeySerde(serde.String, time.Minute), []Key[string]{
		windowedKey("", 0, time.Minute), windowedKey("a", 0, time.Minute), windowedKey("a", 60_000, time.Minute),
		windowedKey("a", -60_000, time.Minute), windowedKey("longer", 1431857100000, time.Minute), windowedKey("a", MaxTime-1, time.Minute),
	}, func(a, b Key[string]) bool { return a == b })
}

// TestFormatsOfKeys: the format says what the bytes do not, and what is inside; what wraps a serde has its format too.
func TestFormatsOfKeys(t *testing.T) {
	minute, bounds := KeySerde(serde.String, time.Minute), SessionKeySerde(serde.String)
	for want, got := range map[string]string{
		"start of a window of 1m0s behind string":                                    serde.FormatOf(minute),
		"bounds of a window behind string":                                           serde.FormatOf(bounds),
		"start of a window of 1h0m0s behind start of a window of 1m0s behind string": serde.FormatOf(KeySerde(minute, time.Hour)),
		"start of a window of 1m0s behind ":                                          serde.FormatOf(KeySerde[string](nil, time.Minute)),
		"bounds of a window behind no codec":                                         serde.FormatOf(SessionKeySerde(serde.Of[string](nil))),
		"sessions of bounds of a window behind string":                               serde.FormatOf[Sessions[Key[string]]](sessionsSerde[Key[string]]{bounds}),
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	type one struct{ A int }
	type two struct{ A, B int }
	for name, c := range map[string]struct {
		was  string
		is   serde.Serde[Key[two]]
		want bool
	}{
		"a field more":              {serde.FormatOf(KeySerde(serde.JSON[one](), time.Minute)), KeySerde(serde.JSON[two](), time.Minute), true},
		"a field more, bounds":      {serde.FormatOf(SessionKeySerde(serde.JSON[one]())), SessionKeySerde(serde.JSON[two]()), true},
		"another size":              {serde.FormatOf(KeySerde(serde.JSON[two](), time.Minute)), KeySerde(serde.JSON[two](), time.Hour), false},
		"the same in other words":   {serde.FormatOf(KeySerde(serde.JSON[two](), time.Minute)), KeySerde(serde.JSON[two](), 60*time.Second), true},
		"bounds as starts":          {serde.FormatOf(SessionKeySerde(serde.JSON[two]())), KeySerde(serde.JSON[two](), time.Minute), false},
		"starts as bounds":          {serde.FormatOf(KeySerde(serde.JSON[two](), time.Minute)), SessionKeySerde(serde.JSON[two]()), false},
		"the key alone":             {serde.FormatOf(serde.JSON[two]()), KeySerde(serde.JSON[two](), time.Minute), false},
		"the Go type, as once":      {"windowing.keySerde[windowing.two]", KeySerde(serde.JSON[two](), time.Minute), false},
		"the Go type of the bounds": {"windowing.sessionKeySerde[windowing.two]", SessionKeySerde(serde.JSON[two]()), false},
	} {
		if got := serde.ReadsFormat(c.is, c.was); got != c.want {
			t.Errorf("%s, %q: %v, want %v", name, c.was, got, c.want)
		}
	}
}

// TestKeySerdeBytes holds the layout of Kafka Streams' TimeWindowedSerializer.
func TestKeySerdeBytes(t *testing.T) {
	c := bindKey(t, KeySerde(serde.String, 5*time.Minute))
	got, err := c.Append([]byte{0xee}, windowedKey("1.2.3.4", 1431857100000, 5*time.Minute))
	if want := "ee312e322e332e340000014d615574e0"; err != nil || hex.EncodeToString(got) != want {
		t.Errorf("got %x, %v; want %s", got, err, want)
	}
	back, err := c.Decode(got[1:])
	if err != nil || back.Window.End != 1431857400000 {
		t.Errorf("got %+v, %v", back, err)
	}
}

func TestKeySerdeRefuses(t *testing.T) {
	for name, s := range map[string]serde.Serde[Key[string]]{
		"no serde":   KeySerde[string](nil, time.Minute),
		"no size":    KeySerde(serde.String, 0),
		"not whole":  KeySerde(serde.String, time.Microsecond),
		"nothing in": KeySerde(serde.Of[string](nil), time.Minute),
	} {
		_, err := s.Bind(serde.Use{Role: serde.Key, Name: "windows"})
		if err == nil || !strings.Contains(err.Error(), `key of "windows"`) {
			t.Errorf("%s: got %v, want an error that names the use", name, err)
		}
	}
	c := bindKey(t, KeySerde(serde.String, time.Minute))
	for n := range 8 {
		if _, err := c.Decode(make([]byte, n)); err == nil {
			t.Errorf("%d bytes decoded", n)
		}
	}
	ints := bindKey(t, KeySerde(serde.Int64, time.Minute))
	if _, err := ints.Decode(make([]byte, 12)); err == nil {
		t.Error("a damaged inner key decoded")
	}
}

func TestKeySerdeKeepsDstOnError(t *testing.T) {
	c := bindKey(t, KeySerde(serde.Of[string](failing{}), time.Minute))
	if got, err := c.Append([]byte("kept"), Key[string]{}); !errors.Is(err, errFailing) || string(got) != "kept" {
		t.Errorf("got %q, %v", got, err)
	}
}

var errFailing = errors.New("failing")

type failing struct{}

func (failing) Append(dst []byte, _ string) ([]byte, error) { return dst, errFailing }
func (failing) Decode([]byte) (string, error)               { return "", errFailing }

// FuzzKeySerde: whatever decodes encodes back to the very bytes, nested too.
func FuzzKeySerde(f *testing.F) {
	f.Add([]byte("12345678"))
	f.Add([]byte("key-1234567887654321"))
	f.Add(bytes.Repeat([]byte{0xff}, 17))
	f.Fuzz(func(t *testing.T, src []byte) {
		c := bindKey(t, KeySerde(KeySerde(serde.String, time.Minute), time.Hour))
		k, err := c.Decode(src)
		if (err == nil) != (len(src) >= 16) {
			t.Fatalf("%d bytes: %v", len(src), err)
		}
		if err != nil {
			return
		}
		if k.Window.End < k.Window.Start || k.Key.Window.End < k.Key.Window.Start {
			t.Fatalf("%x: a window ends before it starts: %+v", src, k)
		}
		if back, err := c.Append(nil, k); err != nil || !bytes.Equal(back, src) {
			t.Fatalf("%x came back as %x, %v", src, back, err)
		}
	})
}

func bindKey[K any](t testing.TB, s serde.Serde[Key[K]]) serde.Codec[Key[K]] {
	t.Helper()
	c, err := s.Bind(serde.Use{Role: serde.Key, Name: "windows"})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestKeyCodecPartitionsByTheKeyAlone(t *testing.T) {
	c := bindKey(t, KeySerde(serde.String, time.Minute)).(interface{ PartitionKey([]byte) []byte })
	for encoded, want := range map[string]string{"a\x00\x00\x01\x4d\x61\x55\x74\xe0": "a", "\x00\x00\x01\x4d\x61\x55\x74\xe0": "", "short": ""} {
		if got := c.PartitionKey([]byte(encoded)); string(got) != want {
			t.Errorf("%q: %q, want %q", encoded, got, want)
		}
	}
}
