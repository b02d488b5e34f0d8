// Package accesslog reads the access logs of web servers, in the common and the
// combined log format.
package accesslog

// A Request is one line of an access log: what a web server was asked for and
// what it sent.
//
// The texts are as the server logged them. What it escaped (quotes, control
// characters) stays escaped, and bytes that are not UTF-8 stay as they are.
type Request struct {
	// Client is the address or the name of who asked, as the server logged it.
	Client string `json:"client"`
	// Time is when, in ms since epoch; never before 1970.
	Time int64 `json:"time"`
	// Line is the request line, such as "GET /index.html HTTP/1.1".
	Line string `json:"request"`
	// Status is the three-digit status code of the answer.
	Status int `json:"status"`
	// Bytes is the size of the answer's body, up to 2^50; the log's "-" counts 0.
	Bytes int64 `json:"bytes"`
	// Referrer and Agent are the headers that the combined format adds; empty
	// in the common one.
	Referrer string `json:"referrer,omitempty"`
	Agent    string `json:"agent,omitempty"`
}
