// Package testdata embeds the data that ships with Millrace.
package testdata

import _ "embed"

//go:embed web_access.log
var webAccessLog string

// WebAccessLog returns an Apache access log in the combined format, 10,000
// lines. README.md says where it is from.
func WebAccessLog() string { return webAccessLog }
