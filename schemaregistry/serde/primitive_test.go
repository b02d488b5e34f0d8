package serde_test

import (
	"bytes"
	"encoding/hex"
	"math"
	"strings"
	"testing"

	"github.com/millrace/millrace/schemaregistry/serde"
	"github.com/millrace/millrace/schemaregistry/serde/serdetest"
)

func same[T comparable](a, b T) bool { return a == b }

func sameBits(a, b float64) bool { return math.Float64bits(a) == math.Float64bits(b) }

func TestPrimitivesConform(t *testing.T) {
	t.Run("string", func(t *testing.T) {
		serdetest.Run(t, serde.String, []string{"", "a", "héllo", "\xff\xfe", strings.Repeat("x", 5000)}, same)
	})
	t.Run("bytes", func(t *testing.T) {
		serdetest.Run(t, serde.Bytes, [][]byte{nil, {}, {0}, []byte("abc")}, bytes.Equal)
	})
	t.Run("int64", func(t *testing.T) {
		serdetest.Run(t, serde.Int64, []int64{0, 1, -1, math.MaxInt64, math.MinInt64}, same)
	})
	t.Run("float64", func(t *testing.T) {
		serdetest.Run(t, serde.Float64, []float64{0, math.Copysign(0, -1), 1.5, math.Inf(1), math.Inf(-1), math.NaN(),
			math.Float64frombits(0x7ff8000000000123), math.MaxFloat64, math.SmallestNonzeroFloat64}, sameBits)
	})
}

// TestKafkaBytes holds the bytes that Kafka's own serializers write.
func TestKafkaBytes(t *testing.T) {
	tests := []struct{ name, got, want string }{
		{"LongSerializer 1", hexOf(t, serde.Int64, 1), "0000000000000001"},
		{"LongSerializer -2", hexOf(t, serde.Int64, -2), "fffffffffffffffe"},
		{"LongSerializer max", hexOf(t, serde.Int64, math.MaxInt64), "7fffffffffffffff"},
		{"DoubleSerializer 1.5", hexOf(t, serde.Float64, 1.5), "3ff8000000000000"},
		{"DoubleSerializer -0", hexOf(t, serde.Float64, math.Copysign(0, -1)), "8000000000000000"},
		{"StringSerializer é", hexOf(t, serde.String, "é"), "c3a9"},
		{"ByteArraySerializer", hexOf(t, serde.Bytes, []byte{0, 255}), "00ff"},
	}
	for _, tt := range tests {
		if tt.got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.name, tt.got, tt.want)
		}
	}
}

func TestWrongLengthIsAnError(t *testing.T) {
	for _, n := range []int{0, 1, 7, 9, 16} {
		if v, err := bind(t, serde.Int64).Decode(make([]byte, n)); err == nil {
			t.Errorf("%d bytes decoded to the int64 %d", n, v)
		}
		if v, err := bind(t, serde.Float64).Decode(make([]byte, n)); err == nil {
			t.Errorf("%d bytes decoded to the float64 %v", n, v)
		}
	}
}

func TestEmptyBytesAreNotNil(t *testing.T) {
	if v, err := bind(t, serde.Bytes).Decode(nil); err != nil || v == nil {
		t.Errorf("got %v, %v; want an empty value, which is not null", v, err)
	}
}

func TestPrimitivesDoNotAllocate(t *testing.T) {
	ints, floats, texts := bind(t, serde.Int64), bind(t, serde.Float64), bind(t, serde.String)
	dst := make([]byte, 0, 64)
	allocs := testing.AllocsPerRun(100, func() {
		a, _ := ints.Append(dst, 1<<40)
		_, _ = ints.Decode(a)
		b, _ := floats.Append(dst, 1.5)
		_, _ = floats.Decode(b)
		_, _ = texts.Append(dst, "some text")
	})
	if allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
}

func TestUseAndRoleTexts(t *testing.T) {
	tests := []struct {
		use  serde.Use
		want string
	}{
		{serde.Use{Role: serde.Key, Name: "orders"}, `key of "orders"`},
		{serde.Use{Role: serde.Value, Name: "orders"}, `value of "orders"`},
		{serde.Use{Role: serde.State, Name: "counts"}, `state of "counts"`},
		{serde.Use{Role: 9, Name: "x"}, `role 9 of "x"`},
	}
	for _, tt := range tests {
		if got := tt.use.String(); got != tt.want {
			t.Errorf("got %s, want %s", got, tt.want)
		}
	}
}

func TestOfNil(t *testing.T) {
	_, err := serde.Of[string](nil).Bind(serde.Use{Role: serde.Value, Name: "orders"})
	if err == nil || !strings.Contains(err.Error(), `value of "orders"`) {
		t.Errorf("got %v, want an error that names the use", err)
	}
}

func FuzzInt64(f *testing.F) {
	fuzzExact(f, serde.Int64)
}

func FuzzFloat64(f *testing.F) {
	fuzzExact(f, serde.Float64)
}

// fuzzExact checks that whatever decodes encodes back to the very bytes.
func fuzzExact[T any](f *testing.F, s serde.Serde[T]) {
	f.Add([]byte("12345678"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, src []byte) {
		c := bind(t, s)
		v, err := c.Decode(src)
		if (err == nil) != (len(src) == 8) {
			t.Fatalf("%d bytes: %v", len(src), err)
		}
		if err != nil {
			return
		}
		if back, err := c.Append(nil, v); err != nil || !bytes.Equal(back, src) {
			t.Fatalf("%x decoded to %v, which encodes to %x (%v)", src, v, back, err)
		}
	})
}

func bind[T any](t testing.TB, s serde.Serde[T]) serde.Codec[T] {
	t.Helper()
	c, err := s.Bind(serde.Use{Role: serde.Value, Name: "test"})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func hexOf[T any](t testing.TB, s serde.Serde[T], v T) string {
	t.Helper()
	out, err := bind(t, s).Append(nil, v)
	if err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(out)
}
