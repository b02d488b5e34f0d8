package accesslog

import (
	"bytes"
	"fmt"
	"strconv"
	"time"
)

// timeLayout is the %t of Apache. Parsing also accepts fractions of a second.
const timeLayout = "02/Jan/2006:15:04:05 -0700"

// lineBytes bounds a line. Servers take requests of some 8 KiB, and headers of as
// much.
const lineBytes = 64 << 10

// textBytes bounds the texts of a line: the rest has room beside them in
// lineBytes, however it is written.
const textBytes = lineBytes - 1<<10

// maxBytes is the largest size of an answer that is believed, a pebibyte.
const maxBytes = 1 << 50

// excerptBytes bounds what an error quotes of a line.
const excerptBytes = 40

// Parse reads one line, with or without its line ending:
//
//	client identity user [time] "request" status bytes "referrer" "agent"
//
// Only client, time, status and bytes must be there; the error names one of them
// that is not. Everything else may be missing or cut off: an identity
// and a user are skipped, the texts in quotes end at the end of the line if
// their quote is missing, what is behind them is not read. Nothing is guessed: a
// line with anything before its client but a byte-order mark, with a control
// character, or of more than lineBytes is an error. The result does not refer to
// line.
func Parse(line []byte) (Request, error) {
	line = bytes.TrimPrefix(bytes.TrimRight(line, "\r\n"), byteOrderMark)
	if err := checkLine(line); err != nil {
		return Request{}, err
	}
	word, rest, _ := bytes.Cut(line, []byte{' '})
	if len(word) == 0 || word[0] == '[' || string(word) == "-" {
		return Request{}, fmt.Errorf("access log line without a client: it begins with %s", excerpt(line))
	}
	words, at, rest, err := parseTime(word, rest)
	if err != nil {
		return Request{}, err
	}
	if who := client(word); !who.legal() || !who.between(words) {
		return Request{}, fmt.Errorf("access log line without a client: want an address or a host name, then an identity and a user before the time, found %s", excerpt(line))
	}
	request, rest := quoted(rest)
	status, rest := token(rest)
	size, rest := token(rest)
	code, ok := parseStatus(status)
	if !ok {
		return Request{}, fmt.Errorf("access log line without a status: want three digits after the request, found %s", excerpt(status))
	}
	n, ok := parseBytes(size)
	if !ok {
		return Request{}, fmt.Errorf("access log line without a bytes field: want a number up to %d, or -, after the status, found %s", int64(maxBytes), excerpt(size))
	}
	referrer, rest := quoted(rest)
	agent, _ := quoted(rest)
	if n := len(request) + len(referrer) + len(agent); n > textBytes {
		return Request{}, fmt.Errorf("access log line with texts of %d bytes, more than %d: it begins with %s", n, textBytes, excerpt(line))
	}
	return Request{
		Client: string(word), Time: at, Line: string(request), Status: code, Bytes: n,
		Referrer: string(referrer), Agent: string(agent),
	}, nil
}

// byteOrderMark is what some editors write at the beginning of a file.
var byteOrderMark = []byte("\ufeff")

// checkLine refuses what no server writes as one line: control characters are
// escaped by them, and a line feed would hide a second line.
func checkLine(line []byte) error {
	if len(line) > lineBytes {
		return fmt.Errorf("access log line of %d bytes, more than %d: it begins with %s", len(line), lineBytes, excerpt(line))
	}
	if i := controlAt(line); i >= 0 {
		return fmt.Errorf("access log line with a control character, 0x%02x at byte %d: it begins with %s", line[i], i, excerpt(line))
	}
	return nil
}

// controlAt is the index of the first control character, -1 if there is none.
func controlAt[T string | []byte](text T) int {
	for i := range len(text) {
		if text[i] < ' ' || text[i] == 0x7f {
			return i
		}
	}
	return -1
}

// parseTime reads the text in brackets that follows the client, and returns the
// words between them too.
func parseTime(client, rest []byte) (words []byte, millis int64, after []byte, err error) {
	open := 0
	if len(rest) == 0 || rest[0] != '[' {
		open = bytes.Index(rest, []byte(" [")) + 1
		if open == 0 {
			return nil, 0, nil, fmt.Errorf("access log line without a time: no [ behind the client %s", excerpt(client))
		}
	}
	text, after, closed := bytes.Cut(rest[open+1:], []byte{']'})
	t, err := time.Parse(timeLayout, string(text))
	if !closed || err != nil {
		return nil, 0, nil, fmt.Errorf("access log line without a time: want [day/month/year:hour:minute:second zone], found %s", excerpt(text))
	}
	if millis = t.UnixMilli(); millis < 0 {
		return nil, 0, nil, fmt.Errorf("access log line without a time: %s is before 1970", excerpt(text))
	}
	return rest[:open], millis, after, nil
}

func parseStatus(b []byte) (int, bool) {
	if len(b) != 3 || !allDigits(b) {
		return 0, false
	}
	return int(b[0]-'0')*100 + int(b[1]-'0')*10 + int(b[2]-'0'), true
}

func parseBytes(b []byte) (int64, bool) {
	if string(b) == "-" {
		return 0, true
	}
	n, err := strconv.ParseInt(string(b), 10, 64)
	return n, err == nil && allDigits(b) && n <= maxBytes
}

func allDigits(b []byte) bool {
	for _, c := range b {
		if c < '0' || c > '9' {
			return false
		}
	}
	return len(b) > 0
}

// token returns the next word and what follows it.
func token(b []byte) (word, rest []byte) {
	b = bytes.TrimLeft(b, " ")
	if end := bytes.IndexByte(b, ' '); end >= 0 {
		return b[:end], b[end:]
	}
	return b, nil
}

// quoted returns the text of a field in quotes, escapes left as they are, and
// what follows it. A field that does not begin with a quote is empty and stays
// in rest. One that is never closed goes to the end of the line, less half an
// escape.
func quoted(b []byte) (text, rest []byte) {
	trimmed := bytes.TrimLeft(b, " ")
	if len(trimmed) == 0 || trimmed[0] != '"' {
		return nil, b
	}
	text = trimmed[1:]
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '"':
			return text[:i], text[i+1:]
		case '\\':
			if i++; i == len(text) {
				return text[:i-1], nil
			}
		}
	}
	return text, nil
}

// excerpt quotes the beginning of b for an error.
func excerpt(b []byte) string {
	if len(b) == 0 {
		return "nothing"
	}
	if len(b) > excerptBytes {
		return strconv.Quote(string(b[:excerptBytes])) + "..."
	}
	return strconv.Quote(string(b))
}
