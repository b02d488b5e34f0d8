package accesslog

import (
	"fmt"
	"strconv"
	"time"

	"github.com/millrace/millrace/schemaregistry/serde"
)

// Line is the serde of a request as one line of a log. It reads both formats
// and writes the combined one, in UTC. It holds nothing and is safe for
// concurrent use.
var Line serde.Serde[Request] = serde.Of[Request](codec{})

type codec struct{}

// Format implements serde.Formatted. Both formats are lines, and each of them is read.
func (codec) Format() string { return "access log line" }

func (codec) Decode(src []byte) (Request, error) { return Parse(src) }

// Append writes r so that Parse reads the same again. The error says which
// field no line can hold.
func (codec) Append(dst []byte, r Request) ([]byte, error) {
	at := time.UnixMilli(r.Time).UTC()
	switch {
	case !client(r.Client).legal():
		return dst, fmt.Errorf("access log: no line can hold the client %q", r.Client)
	case r.Time < 0 || at.Year() > 9999:
		return dst, fmt.Errorf("access log: no line can hold the time %d ms", r.Time)
	case r.Status < 0 || r.Status > 999 || r.Bytes < 0 || r.Bytes > maxBytes:
		return dst, fmt.Errorf("access log: no line can hold status %d with %d bytes", r.Status, r.Bytes)
	case controlAt(r.Line) >= 0 || controlAt(r.Referrer) >= 0 || controlAt(r.Agent) >= 0:
		return dst, fmt.Errorf("access log: a text has a control character that is not escaped: %q, %q, %q", r.Line, r.Referrer, r.Agent)
	case len(r.Line)+len(r.Referrer)+len(r.Agent) > textBytes:
		return dst, fmt.Errorf("access log: no line can hold texts of %d bytes, more than %d", len(r.Line)+len(r.Referrer)+len(r.Agent), textBytes)
	case !quotable(r.Line) || !quotable(r.Referrer) || !quotable(r.Agent):
		return dst, fmt.Errorf("access log: a text has a quote that is not escaped, or ends in half an escape: %q, %q, %q", r.Line, r.Referrer, r.Agent)
	}
	dst = append(dst, r.Client...)
	dst = at.AppendFormat(append(dst, " - - ["...), "02/Jan/2006:15:04:05.999 -0700")
	dst = append(append(append(dst, `] "`...), r.Line...), `" `...)
	dst = fmt.Appendf(dst, "%03d ", r.Status)
	dst = strconv.AppendInt(dst, r.Bytes, 10)
	dst = append(append(append(dst, ` "`...), r.Referrer...), `" "`...)
	return append(append(dst, r.Agent...), '"'), nil
}

// quotable says that s between quotes is read as one whole text.
func quotable(s string) bool {
	text, rest := quoted([]byte(`"` + s + `"`))
	return string(text) == s && len(rest) == 0
}
