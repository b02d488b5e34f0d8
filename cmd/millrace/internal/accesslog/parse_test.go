package accesslog

import (
	"bytes"
	"strings"
	"testing"

	"github.com/millrace/millrace/schemaregistry/serde"
	"github.com/millrace/millrace/testdata"
)

const may17 = 1431857103000 // 17/May/2015:10:05:03 +0000

func TestParseReadsWhatIsThere(t *testing.T) {
	get := Request{Client: "10.0.0.1", Time: may17, Line: "GET / HTTP/1.1", Status: 200, Bytes: 7}
	with := func(change func(*Request)) Request {
		r := get
		change(&r)
		return r
	}
	for _, c := range []struct {
		name, line string
		want       Request
	}{
		{"common", `10.0.0.1 - - [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 7`, get},
		{"combined", `10.0.0.1 - - [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 7 "http://a/" "curl"`,
			with(func(r *Request) { r.Referrer, r.Agent = "http://a/", "curl" })},
		{"line ending", "10.0.0.1 - - [17/May/2015:10:05:03 +0000] \"GET / HTTP/1.1\" 200 7\r\n", get},
		{"zone", `10.0.0.1 - - [17/May/2015:12:35:03 +0230] "GET / HTTP/1.1" 200 7`, get},
		{"fraction", `10.0.0.1 - - [17/May/2015:10:05:03.25 +0000] "GET / HTTP/1.1" 200 7`,
			with(func(r *Request) { r.Time += 250 })},
		{"user with spaces", `10.0.0.1 ident John Q. Public [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 7`, get},
		{"no identity and user", `10.0.0.1 [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 7`, get},
		{"no request", `10.0.0.1 - - [17/May/2015:10:05:03 +0000] 200 7`, with(func(r *Request) { r.Line = "" })},
		{"no bytes sent", `10.0.0.1 - - [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 304 -`,
			with(func(r *Request) { r.Status, r.Bytes = 304, 0 })},
		{"escaped quotes", `10.0.0.1 - - [17/May/2015:10:05:03 +0000] "GET /\"a\" b\\" 200 7 "\"" "-"`,
			with(func(r *Request) { r.Line, r.Referrer, r.Agent = `GET /\"a\" b\\`, `\"`, "-" })},
		{"quote never closed", `10.0.0.1 - - [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 7 "-" "Mozilla (bot.html`,
			with(func(r *Request) { r.Referrer, r.Agent = "-", "Mozilla (bot.html" })},
		{"half an escape", `10.0.0.1 - - [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 7 "ab\`,
			with(func(r *Request) { r.Referrer = "ab" })},
		{"brackets and bytes in the request", "10.0.0.1 - - [17/May/2015:10:05:03 +0000] \"GET /[a] \xff\xc3\xa4\" 200 7",
			with(func(r *Request) { r.Line = "GET /[a] \xff\xc3\xa4" })},
		{"client of any bytes", "\xe4\xf6.example - - [17/May/2015:10:05:03 +0000] \"GET / HTTP/1.1\" 200 7",
			with(func(r *Request) { r.Client = "\xe4\xf6.example" })},
		{"IPv6 and many spaces", `2001:db8::1  -   -  [17/May/2015:10:05:03 +0000]   "GET / HTTP/1.1"  200  7 `,
			with(func(r *Request) { r.Client = "2001:db8::1" })},
	} {
		got, err := Parse([]byte(c.line))
		if err != nil || got != c.want {
			t.Errorf("%s:\n got %+v, %v\nwant %+v", c.name, got, err, c.want)
		}
	}
}

func TestParseNamesTheMissingField(t *testing.T) {
	for _, c := range []struct{ line, want string }{
		{``, "without a client: it begins with nothing"},
		{` - - [17/May/2015:10:05:03 +0000] "GET /" 200 7`, "without a client"},
		{`- - - [17/May/2015:10:05:03 +0000] "GET /" 200 7`, "without a client"},
		{`[17/May/2015:10:05:03 +0000] "GET /" 200 7`, "without a client"},
		{`garbage`, "without a time"},
		{`10.0.0.1 - - "GET /" 200 7`, "without a time"},
		{`10.0.0.1 - - [17/May/2015:10:05:03 +0000 "GET /" 200 7`, "without a time"},
		{`10.0.0.1 - - [31/Feb/2015:10:05:03 +0000] "GET /" 200 7`, "without a time"},
		{`10.0.0.1 - - [17/May/1915:10:05:03 +0000] "GET /" 200 7`, "is before 1970"},
		{`10.0.0.1 - - [17/May/2015:10:05:03 +0000] "GET /" - 7`, `without a status: want three digits after the request, found "-"`},
		{`10.0.0.1 - - [17/May/2015:10:05:03 +0000] "GET / 200 7`, "without a status"},
		{`10.0.0.1 - - [17/May/2015:10:05:03 +0000] "GET /" 20x 7`, "without a status"},
		{`10.0.0.1 - - [17/May/2015:10:05:03 +0000] "GET /" 7 "-" "-"`, "without a status"},
		{`10.0.0.1 - - [17/May/2015:10:05:03 +0000] "GET /" 200`, "without a bytes field"},
		{`10.0.0.1 - - [17/May/2015:10:05:03 +0000] "GET /" 200 "-" "-"`, "without a bytes field"},
		{`10.0.0.1 - - [17/May/2015:10:05:03 +0000] "GET /" 200 -7`, "without a bytes field"},
		{`10.0.0.1 - - [17/May/2015:10:05:03 +0000] "GET /" 200 +7`, "without a bytes field"},
		{`10.0.0.1 - - [17/May/2015:10:05:03 +0000] "GET /" 200 99999999999999999999`, "without a bytes field"},
		{strings.Repeat("x", 10000), "without a time"},
	} {
		r, err := Parse([]byte(c.line))
		if err == nil {
			t.Errorf("%q was read as %+v", c.line, r)
			continue
		}
		if len(err.Error()) > 300 {
			t.Errorf("the error about a line of %d bytes has %d", len(c.line), len(err.Error()))
		}
		if !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v, want it to say %q", c.line, err, c.want)
		}
	}
}

func TestParseReadsEveryLineOfTheRealLog(t *testing.T) {
	clients := map[string]bool{}
	n := 0
	for line := range strings.Lines(testdata.WebAccessLog()) {
		r, err := Parse([]byte(line))
		if err != nil {
			t.Fatalf("line %d: %v", n+1, err)
		}
		clients[r.Client] = true
		n++
	}
	if n != 10000 || len(clients) != 1753 {
		t.Errorf("%d lines of %d clients, want 10000 of 1753", n, len(clients))
	}
}

func TestAppendRefusesWhatNoLineCanHold(t *testing.T) {
	codec := bind(t)
	good := Request{Client: "a", Time: may17, Line: "GET /", Status: 200}
	for name, spoil := range map[string]func(*Request){
		"no client":         func(r *Request) { r.Client = "" },
		"client of a dash":  func(r *Request) { r.Client = "-" },
		"two words":         func(r *Request) { r.Client = "a b" },
		"bracketed client":  func(r *Request) { r.Client = "[a" },
		"time before 1970":  func(r *Request) { r.Time = -1 },
		"year 10000":        func(r *Request) { r.Time = 253402300800000 },
		"status":            func(r *Request) { r.Status = 1000 },
		"bytes":             func(r *Request) { r.Bytes = -1 },
		"bare quote":        func(r *Request) { r.Agent = `a"b` },
		"half an escape":    func(r *Request) { r.Referrer = `a\` },
		"quote at the end":  func(r *Request) { r.Line = `GET "` },
		"quote in the path": func(r *Request) { r.Line = `" 200 5` },
	} {
		r := good
		spoil(&r)
		if b, err := codec.Append(nil, r); err == nil {
			t.Errorf("%s: written as %q", name, b)
		}
	}
	if _, err := codec.Append(nil, good); err != nil {
		t.Errorf("a good request: %v", err)
	}
}

func bind(t testing.TB) serde.Codec[Request] {
	t.Helper()
	codec, err := Line.Bind(serde.Use{Role: serde.Value, Name: "log"})
	if err != nil {
		t.Fatal(err)
	}
	return codec
}

// FuzzParse: no bytes break the parser, it keeps nothing of its input, and what
// it reads survives being written and read again.
func FuzzParse(f *testing.F) {
	line, _, _ := strings.Cut(testdata.WebAccessLog(), "\n")
	f.Add([]byte(line))
	f.Add([]byte(`a b c [17/May/2015:10:05:03.5 -0730] "\"\\" 000 - "\`))
	f.Add([]byte("\xff - - [01/Jan/1970:00:00:00 +0000] 200 -\r"))
	f.Add([]byte(`10.0.0.1 - - [01/Jan/1970:00:00:00 +0000] "GET /" 200 99999999999999999999`))
	codec := bind(f)
	f.Fuzz(func(t *testing.T, line []byte) {
		input := bytes.Clone(line)
		first, err := codec.Decode(input)
		if !bytes.Equal(input, line) {
			t.Fatal("the parser changed its input")
		}
		if err != nil {
			if first != (Request{}) {
				t.Fatalf("half a request beside %v: %+v", err, first)
			}
			return
		}
		clear(input)
		written, err := codec.Append([]byte("kept"), first)
		if err != nil {
			t.Fatalf("%q was read as %+v, which cannot be written: %v", line, first, err)
		}
		again, err := codec.Decode(written[len("kept"):])
		if err != nil || again != first {
			t.Fatalf("%q was read as %+v, and back from %q as %+v, %v", line, first, written, again, err)
		}
	})
}
