package serde_test

import (
	"fmt"
	"strings"

	"github.com/millrace/millrace/schemaregistry/serde"
)

func Example() {
	codec, err := serde.Int64.Bind(serde.Use{Role: serde.Value, Name: "word-counts"})
	if err != nil {
		fmt.Println(err)
		return
	}
	out, _ := codec.Append(nil, 258)
	fmt.Printf("%x\n", out)
	_, err = codec.Decode([]byte("258"))
	fmt.Println(err)
	// Output:
	// 0000000000000102
	// serde: an int64 is 8 bytes, got 3: the data was written by another serializer
}

func ExampleJSON() {
	type click struct {
		Page string `json:"page"`
	}
	codec, err := serde.JSON[click]().Bind(serde.Use{Role: serde.Value, Name: "clicks"})
	if err != nil {
		fmt.Println(err)
		return
	}
	out, _ := codec.Append(nil, click{Page: "/home"})
	fmt.Println(string(out))
	_, err = codec.Decode([]byte(`{"page":"/a","page":"/b"}`))
	fmt.Println(err)
	// Output:
	// {"page":"/home"}
	// serde: decode JSON as serde_test.click: at byte 18: duplicate name: "page"
}

// upper keeps its texts in capitals.
type upper struct{}

func (upper) Append(dst []byte, v string) ([]byte, error) {
	return append(dst, strings.ToUpper(v)...), nil
}
func (upper) Decode(src []byte) (string, error) { return string(src), nil }

func ExampleOf() {
	codec, err := serde.Of[string](upper{}).Bind(serde.Use{Role: serde.Key, Name: "countries"})
	if err != nil {
		fmt.Println(err)
		return
	}
	out, _ := codec.Append(nil, "de")
	fmt.Println(string(out))
	// Output: DE
}
