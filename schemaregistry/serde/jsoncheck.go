package serde

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"unicode"
	"unicode/utf8"
)

// MaxDepth is how deep objects and arrays may be nested in a JSON text that is decoded.
const MaxDepth = 500

// linearNames is the number of names in one object up to which they are compared one with another; beyond it a
// set is built, so that a hostile object costs linear time.
const linearNames = 16

// Errors of texts that encoding/json would accept. Decode wraps them.
var (
	// ErrDepth says that a text is nested deeper than MaxDepth.
	ErrDepth = errors.New("nested too deep")
	// ErrDuplicate says that an object has two members of one name.
	ErrDuplicate = errors.New("duplicate name")
	// ErrText says that a text is not well-formed Unicode.
	ErrText = errors.New("malformed Unicode")
)

// jsonChecker finds in one pass what encoding/json lets pass. It knows only as much syntax as that needs: texts
// that are not JSON may pass it and are left to the parser that runs after it. Its slices are reused.
type jsonChecker struct {
	names [][]byte // names of all open objects, unescaped, innermost last
	open  []scope
	null  bool // the whole text is null
	// reasonFolded: two names of one object differ in case alone. They are two keys of a map, and may be one field of a
	// struct. reasonLoose: a name may be another way to write an integer.
	seen reasons
	fold []byte // scratch
}

// scope is one open object or array.
type scope struct {
	first int                 // index of its first name in jsonChecker.names
	seen  map[string]struct{} // set of its names, once there are many
	folds map[string]struct{} // likewise, folded
}

func (c *jsonChecker) check(src []byte) error {
	c.names, c.open, c.seen = c.names[:0], c.open[:0], 0
	c.null = string(bytes.Trim(src, " \t\r\n")) == "null"
	if !utf8.Valid(src) {
		return fmt.Errorf("%w: not UTF-8", ErrText)
	}
	for at := 0; at < len(src); at++ {
		var err error
		switch src[at] {
		case '{', '[':
			err = c.enter()
		case '}', ']':
			c.leave()
		case '"':
			at, err = c.text(src, at)
		}
		if err != nil {
			return fmt.Errorf("at byte %d: %w", at, err)
		}
	}
	return nil
}

func (c *jsonChecker) enter() error {
	if len(c.open) == MaxDepth {
		return fmt.Errorf("%w: more than %d levels", ErrDepth, MaxDepth)
	}
	c.open = append(c.open, scope{first: len(c.names)})
	return nil
}

func (c *jsonChecker) leave() {
	if n := len(c.open); n > 0 {
		c.names = c.names[:c.open[n-1].first]
		c.open = c.open[:n-1]
	}
}

// text checks the string that begins at src[at] and returns the index of its closing quote.
func (c *jsonChecker) text(src []byte, at int) (int, error) {
	begin, escaped := at, false
	for at++; at < len(src) && src[at] != '"'; at++ {
		if src[at] == '\\' {
			escaped = true
			at++
		}
	}
	if at >= len(src) {
		return len(src), nil // unterminated: the parser's business
	}
	if escaped {
		if err := surrogates(src[begin+1 : at]); err != nil {
			return begin, err
		}
	}
	if rest := bytes.TrimLeft(src[at+1:], " \t\r\n"); len(rest) > 0 && rest[0] == ':' {
		return at, c.name(src[begin:at+1], escaped)
	}
	return at, nil
}

// name notes the name of a member of the innermost object; quoted includes its quotes.
func (c *jsonChecker) name(quoted []byte, escaped bool) error {
	if len(c.open) == 0 {
		return nil
	}
	name := quoted[1 : len(quoted)-1]
	if escaped {
		var plain string
		if json.Unmarshal(quoted, &plain) != nil {
			return nil // a bad escape: the parser's business
		}
		name = []byte(plain)
	}
	if loose(name) {
		c.seen |= reasonLoose
	}
	in := &c.open[len(c.open)-1]
	if c.has(in, c.names[in.first:], name) {
		return fmt.Errorf("%w: %.40q", ErrDuplicate, name)
	}
	c.names = append(c.names, name)
	return nil
}

// has reports whether name is among the names of a scope so far, and notes whether one of them differs in case alone.
func (c *jsonChecker) has(in *scope, names [][]byte, name []byte) bool {
	if len(names) >= linearNames {
		return c.hasMany(in, names, name)
	}
	for _, n := range names {
		if !alike(n, name) {
			continue
		}
		if bytes.Equal(n, name) {
			return true
		}
		if bytes.EqualFold(n, name) {
			c.seen |= reasonFolded
		}
	}
	return false
}

// alike reports whether two names may be the same, or the same but for case, by their first bytes.
func alike(a, b []byte) bool {
	if len(a) == 0 || len(b) == 0 {
		return len(a) == len(b)
	}
	return a[0]|b[0] >= utf8.RuneSelf || a[0]|caseBit == b[0]|caseBit
}

// caseBit is what the upper and the lower case of an ASCII letter differ in.
const caseBit = 'a' - 'A'

func (c *jsonChecker) hasMany(in *scope, names [][]byte, name []byte) bool {
	if in.seen == nil {
		in.seen, in.folds = make(map[string]struct{}, 2*len(names)), make(map[string]struct{}, 2*len(names))
		for _, n := range names {
			c.note(in, n)
		}
	}
	return c.note(in, name)
}

// note adds a name to the sets of a scope, and reports whether it was there.
func (c *jsonChecker) note(in *scope, name []byte) bool {
	_, found := in.seen[string(name)]
	in.seen[string(name)] = struct{}{}
	if found || c.seen&reasonFolded != 0 || !bytes.ContainsFunc(name, cased) {
		return found
	}
	c.fold = appendFolded(c.fold[:0], name)
	if _, folded := in.folds[string(c.fold)]; folded {
		c.seen |= reasonFolded
	}
	in.folds[string(c.fold)] = struct{}{}
	return false
}

// cased reports whether there is another rune that differs from r in case alone.
func cased(r rune) bool { return unicode.SimpleFold(r) != r }

// appendFolded writes a name so that names which differ in case alone, by the rules of bytes.EqualFold, are equal.
func appendFolded(dst, name []byte) []byte {
	for _, r := range string(name) {
		least := r
		for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
			least = min(least, next)
		}
		dst = utf8.AppendRune(dst, least)
	}
	return dst
}
