package serdetest

import (
	"errors"
	"strings"
	"testing"

	"github.com/millrace/millrace/schemaregistry/serde"
)

// codec is a string codec with replaceable halves.
type codec struct {
	append func(dst []byte, v string) ([]byte, error)
	decode func(src []byte) (string, error)
}

func (c codec) Append(dst []byte, v string) ([]byte, error) { return c.append(dst, v) }
func (c codec) Decode(src []byte) (string, error)           { return c.decode(src) }

// terminated writes the string and a zero byte.
func terminated() codec {
	return codec{
		append: func(dst []byte, v string) ([]byte, error) { return append(append(dst, v...), 0), nil },
		decode: func(src []byte) (string, error) {
			text, found := strings.CutSuffix(string(src), "\x00")
			if !found || strings.Contains(text, "\x00") {
				return "", errors.New("not terminated")
			}
			return text, nil
		},
	}
}

func same(a, b string) bool { return a == b }

func TestSuiteAcceptsAGoodCodec(t *testing.T) {
	Run(t, serde.Of[string](terminated()), []string{"", "a", "longer text"}, same)
}

func TestSuiteFindsViolations(t *testing.T) {
	calls := 0
	tests := []struct {
		name  string
		spoil func(*codec)
		want  string
	}{
		{"append fails", func(c *codec) {
			c.append = func(dst []byte, _ string) ([]byte, error) { return dst, errors.New("boom") }
		}, "boom"},
		{"append drops dst", func(c *codec) {
			c.append = func(_ []byte, v string) ([]byte, error) { return append([]byte(v), 0), nil }
		}, "overwrote"},
		{"append varies", func(c *codec) {
			c.append = func(dst []byte, v string) ([]byte, error) {
				calls++
				return append(dst, byte(calls)), nil
			}
		}, "not repeatable"},
		{"decode fails", func(c *codec) {
			c.decode = func([]byte) (string, error) { return "", errors.New("boom") }
		}, "boom"},
		{"decode loses", func(c *codec) {
			c.decode = func([]byte) (string, error) { return "?", nil }
		}, "decode gave"},
		{"decode scribbles", func(c *codec) {
			good := c.decode
			c.decode = func(src []byte) (string, error) {
				v, err := good(src)
				if len(src) > 0 {
					src[0]++
				}
				return v, err
			}
		}, "changed its source"},
		{"truncation unnoticed", func(c *codec) {
			c.decode = func(src []byte) (string, error) { return strings.TrimRight(string(src), "\x00"), nil }
		}, "decode to the same value"},
		{"garbage unnoticed", func(c *codec) {
			good := c.decode
			c.decode = func(src []byte) (string, error) {
				text, _, _ := strings.Cut(string(src), "\x00")
				if !strings.Contains(string(src), "\x00") {
					return good(src)
				}
				return text, nil
			}
		}, "a byte too many"},
		{"values collide", func(c *codec) {
			c.append = func(dst []byte, _ string) ([]byte, error) { return append(dst, 0), nil }
		}, "others different"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := terminated()
			tt.spoil(&c)
			err := check(serde.Of[string](c), serde.Use{Name: "t"}, []string{"ab", "b"}, same)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want an error with %q", err, tt.want)
			}
		})
	}
}

func TestSuiteFindsAKeptSource(t *testing.T) {
	kept := keeps{}
	err := check(serde.Of[[]byte](kept), serde.Use{}, [][]byte{{1, 2}, {3}}, func(a, b []byte) bool { return string(a) == string(b) })
	if err == nil || !strings.Contains(err.Error(), "kept its source") {
		t.Errorf("got %v, want the kept source to be found", err)
	}
}

type keeps struct{}

func (keeps) Append(dst, v []byte) ([]byte, error) { return append(dst, v...), nil }
func (keeps) Decode(src []byte) ([]byte, error)    { return src, nil }

func TestSuiteNeedsSamples(t *testing.T) {
	if err := check(serde.String, serde.Use{}, []string{"one"}, same); err == nil {
		t.Error("one sample cannot show that different values differ")
	}
	if err := check(serde.Of[string](nil), serde.Use{}, []string{"a", "b"}, same); err == nil {
		t.Error("a bind error went unnoticed")
	}
}
