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
		{"host name", `piweba-3y.Example_1.com a b [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 7`,
			with(func(r *Request) { r.Client = "piweba-3y.Example_1.com" })},
		{"bare host name", `localhost - - [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 7`,
			with(func(r *Request) { r.Client = "localhost" })},
		{"zone of an address", `fe80::1%eth0 - - [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 7`,
			with(func(r *Request) { r.Client = "fe80::1%eth0" })},
		{"byte-order mark", "\ufeff10.0.0.1 - - [17/May/2015:10:05:03 +0000] \"GET / HTTP/1.1\" 200 7", get},
		{"largest size", `10.0.0.1 - - [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 1125899906842624`,
			with(func(r *Request) { r.Bytes = 1 << 50 })},
		{"more fields", `10.0.0.1 - - [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 7 "-" "curl" 1234 "x"`,
			with(func(r *Request) { r.Referrer, r.Agent = "-", "curl" })},
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
		{`10.0.0.1 - - [17/May/2015:10:05:03 +0000] "GET /" 200 1125899906842625`, "want a number up to 1125899906842624"},
		{`10.0.0.1 - - [17/May/2015:10:05:60 +0000] "GET /" 200 7`, "without a time"},
		{`10.0.0.1 - - [17/May/2015:10:05:03 UTC] "GET /" 200 7`, "without a time"},
		{`10.0.0.1 - - [17/May/2015:10:05:03] "GET /" 200 7`, "without a time"},
		{`10.0.0.1 - - [2015-05-17T10:05:03Z] "GET /" 200 7`, "without a time"},
		{`10.0.0.1 - - [17/May/2015:10:05:03 +2500] "GET /" 200 7`, "without a time"},
		{"\r\n", "without a client: it begins with nothing"},
		{"\ufeff", "without a client: it begins with nothing"},
		{strings.Repeat("x", 64<<10+1), "line of 65537 bytes"},
		{`10.0.0.1 - - [17/May/2015:10:05:03 +0000] "` + strings.Repeat("x", 63<<10+1) + `" 200 7`, "texts of 64513 bytes"},
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

// TestParseDoesNotGuessTheClient: what something wrote before it is not taken for
// it.
func TestParseDoesNotGuessTheClient(t *testing.T) {
	const rest = ` - - [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 7 "-" "curl"`
	for name, before := range map[string]string{
		"syslog":                   "May 17 10:05:03 web1 nginx: 10.0.0.1",
		"syslog with a priority":   "<134>May 17 10:05:03 web1 nginx: 10.0.0.1",
		"syslog, RFC 5424":         "<134>1 2015-05-17T10:05:03Z web1 nginx - - - 10.0.0.1",
		"a tag":                    "nginx: 10.0.0.1",
		"a date":                   "2015-05-17T10:05:03Z 10.0.0.1",
		"a time":                   "1431857103 10.0.0.1",
		"a virtual host":           "www.example.com 10.0.0.1",
		"a virtual host with port": "www.example.com:80 10.0.0.1",
		"a virtual host, name":     "www.example.com client.example.org",
		"a virtual host, address":  "10.0.0.9 10.0.0.1",
		"a list of forwarders":     "10.0.0.1, 10.0.0.2",
		"a list without space":     "10.0.0.1,10.0.0.2",
		"a port":                   "10.0.0.1:4711",
		"an address in brackets":   "[::1]",
		"half an address":          "10.0.0",
		"not an address":           "10.0.0.256",
		"other marks":              "\xff\xfe10.0.0.1",
		"two marks":                "\ufeff\ufeff10.0.0.1",
		"zero width space":         "\u200b10.0.0.1",
		"a quote":                  `"10.0.0.1"`,
		"not ASCII":                "\xe4\xf6.example",
		"an escape":                `\x16\x03\x01`,
		"an empty part":            "www..example.com",
		"a dot at the end":         "www.example.com.",
		"a hyphen at the end":      "www.example-",
		"a long part":              strings.Repeat("a", 64) + ".com",
		"a long name":              strings.Repeat("a.", 127) + "com",
		"a long zone":              "fe80::1%" + strings.Repeat("a", 250),
	} {
		r, err := Parse([]byte(before + rest))
		if err == nil {
			t.Errorf("%s: the client of %q was read as %q", name, before, r.Client)
		} else if !strings.Contains(err.Error(), "without a client") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, line := range map[string]string{
		"a name alone":             `web1 [17/May/2015:10:05:03 +0000] "GET /" 200 7`,
		"a name and one word":      `web1 - [17/May/2015:10:05:03 +0000] "GET /" 200 7`,
		"the time of the request":  `10.0.0.1 - - "GET / [17/May/2015:10:05:03 +0000] x" 200 7`,
		"an address as identity":   `10.0.0.1 ::1 - [17/May/2015:10:05:03 +0000] "GET /" 200 7`,
		"an address behind a user": `10.0.0.1 - a 10.0.0.2 [17/May/2015:10:05:03 +0000] "GET /" 200 7`,
	} {
		if r, err := Parse([]byte(line)); err == nil {
			t.Errorf("%s: read as %+v", name, r)
		}
	}
}

// TestParseRefusesControlCharacters: servers escape them, so they are damage, and
// a line feed would hide a second request.
func TestParseRefusesControlCharacters(t *testing.T) {
	const line = `10.0.0.1 - - [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 7 "-" "curl"`
	for _, c := range []string{"\x00", "\n", "\r", "\t", "\x1b", "\x7f"} {
		for at := range len(line) {
			if r, err := Parse([]byte(line[:at] + c + line[at:])); err == nil {
				t.Fatalf("%q at byte %d: read as %+v", c, at, r)
			}
		}
	}
	if r, err := Parse([]byte(line + "\n" + line + "\n")); err == nil {
		t.Errorf("two lines were read as %+v", r)
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
		"no host name":      func(r *Request) { r.Client = "10.0.0.1:80" },
		"too many bytes":    func(r *Request) { r.Bytes = 1<<50 + 1 },
		"line feed":         func(r *Request) { r.Agent = "a\nb" },
		"long texts":        func(r *Request) { r.Agent = strings.Repeat("a", 63<<10+1) },
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
