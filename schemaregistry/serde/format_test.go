package serde_test

import (
	"testing"

	"github.com/millrace/millrace/schemaregistry/serde"
)

// TestReadsInner: a wrapper reads what has its own prefix, as far as the serde that it wraps reads the rest.
func TestReadsInner(t *testing.T) {
	for was, want := range map[string]bool{
		"list of json {N integer}":            true,
		"list of json {M string, N integer}":  true, // the inner one reads it
		"list of json {N string}":             false,
		"list of list of json {N integer}":    false,
		"map of json {N integer}":             false,
		"json {N integer}":                    false,
		"list of ":                            false,
		"a list of json {N integer}":          false,
		"list of json {N integer} and others": false,
	} {
		if got := serde.ReadsInner(serde.JSON[plain](), "list of ", was); got != want {
			t.Errorf("%q: %v, want %v", was, got, want)
		}
	}
	if serde.ReadsInner[plain](nil, "list of ", "list of json {N integer}") {
		t.Error("no serde reads something")
	}
}
