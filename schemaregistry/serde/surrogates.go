package serde

import (
	"fmt"
	"strconv"
)

// surrogates refuses a \u escape that is half of a surrogate pair, which encoding/json turns into U+FFFD.
func surrogates(text []byte) error {
	for at := 0; at < len(text); at++ {
		if text[at] != '\\' {
			continue
		}
		at++
		first, ok := hex4(text, at)
		if !ok {
			continue
		}
		at += 4
		if first < 0xD800 || first > 0xDFFF {
			continue
		}
		var second uint64
		if at+1 < len(text) && text[at+1] == '\\' {
			second, _ = hex4(text, at+2)
		}
		if first >= 0xDC00 || second < 0xDC00 || second > 0xDFFF {
			return fmt.Errorf("%w: half a surrogate pair", ErrText)
		}
		at += 6
	}
	return nil
}

// hex4 reads the number of an escape whose u is at text[at].
func hex4(text []byte, at int) (uint64, bool) {
	if at+5 > len(text) || text[at] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(string(text[at+1:at+5]), 16, 16)
	return n, err == nil
}
