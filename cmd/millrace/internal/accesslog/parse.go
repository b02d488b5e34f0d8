package accesslog

import (
	"bytes"
	"fmt"
	"strconv"
	"time"
)

// timeLayout is the %t of Apache. Parsing also accepts fractions of a second.
const timeLayout = "02/Jan/2006:15:04:05 -0700"

// excerptBytes bounds what an error quotes of a line.
const excerptBytes = 40

// Parse reads one line, with or without its line ending:
//
//	client identity user [time] "request" status bytes "referrer" "agent"
//
// Only client, time, status and bytes must be there; the error names the first
// of them that is not. Everything else may be missing or cut off: an identity
// and a user are skipped, the texts in quotes end at the end of the line if
// their quote is missing. The result does not refer to line.
func Parse(line []byte) (Request, error) {
	line = bytes.TrimRight(line, "\r\n")
	client, rest, _ := bytes.Cut(line, []byte{' '})
	if len(client) == 0 || client[0] == '[' || string(client) == "-" {
		return Request{}, fmt.Errorf("access log line without a client: it begins with %s", excerpt(line))
	}
	at, rest, err := parseTime(client, rest)
	if err != nil {
		return Request{}, err
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
		return Request{}, fmt.Errorf("access log line without a bytes field: want a number or - after the status, found %s", excerpt(size))
	}
	referrer, rest := quoted(rest)
	agent, _ := quoted(rest)
	return Request{
		Client: string(client), Time: at, Line: string(request), Status: code, Bytes: n,
		Referrer: string(referrer), Agent: string(agent),
	}, nil
}

// parseTime reads the text in brackets that follows the client, whatever words
// stand between.
func parseTime(client, rest []byte) (millis int64, after []byte, err error) {
	open := 0
	if len(rest) == 0 || rest[0] != '[' {
		open = bytes.Index(rest, []byte(" [")) + 1
		if open == 0 {
			return 0, nil, fmt.Errorf("access log line without a time: no [ behind the client %s", excerpt(client))
		}
	}
	text, after, closed := bytes.Cut(rest[open+1:], []byte{']'})
	t, err := time.Parse(timeLayout, string(text))
	if !closed || err != nil {
		return 0, nil, fmt.Errorf("access log line without a time: want [day/month/year:hour:minute:second zone], found %s", excerpt(text))
	}
	if millis = t.UnixMilli(); millis < 0 {
		return 0, nil, fmt.Errorf("access log line without a time: %s is before 1970", excerpt(text))
	}
	return millis, after, nil
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
	return n, err == nil && allDigits(b)
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
