package accesslog

import (
	"bytes"
	"net/netip"
)

// A client is the first word of a line: who asked. It is an address, or the
// name of a host where the server looks names up, and nothing else, so that what
// a collector or a server writes before it (a mark, a date, the name of a host
// or of a virtual one) is not taken for it.
type client []byte

// The longest client, which is the longest name of a host, and the longest part of one between dots.
const (
	nameBytes  = 253
	labelBytes = 63
)

// legal reports whether the word can be a client.
func (c client) legal() bool { return len(c) <= nameBytes && (c.address() || c.name()) }

// address reports whether it is an IP address, with or without a zone.
func (c client) address() bool {
	_, err := netip.ParseAddr(string(c))
	return err == nil
}

// name reports whether it is the name of a host. The last part of one is not a
// number: that would be half an address.
func (c client) name() bool {
	var last []byte
	for last = range bytes.SplitSeq(c, []byte{'.'}) {
		if !legalLabel(last) {
			return false
		}
	}
	return !allDigits(last)
}

func legalLabel(b []byte) bool {
	if len(b) == 0 || len(b) > labelBytes || b[0] == '-' || b[len(b)-1] == '-' {
		return false
	}
	for _, c := range b {
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		if !letter && (c < '0' || c > '9') && c != '-' && c != '_' {
			return false
		}
	}
	return true
}

// between reports whether what stands between a client and the time can be an
// identity and a user. A user may be several words, but only behind an address:
// behind a name they may be a line with something before its client. An address
// is neither: the client is there, and what was taken for it is not.
func (c client) between(words []byte) bool {
	if bytes.IndexByte(words, '"') >= 0 {
		return false
	}
	n := 0
	for word := range bytes.FieldsSeq(words) {
		if n++; client(word).address() {
			return false
		}
	}
	return n == 2 || c.address()
}
