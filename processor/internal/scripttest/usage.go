package scripttest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cockroachdb/datadriven"
)

// A usage is what a Command.Usage says, word by word:
//
//	put TOPIC [KEY...] to= [partition=] [quiet] <lines>
//
// Operands are in capitals, in their order; one in brackets may be left out, and
// "..." after the last takes any number. name= has a value and has to be there,
// [name=] may be, [name] is a flag. <lines> says that lines follow the command.
type usage struct {
	text     string
	name     string
	operands int // that have to be there
	most     int // operands; -1 for any number
	required []string
	valued   []string
	flags    []string
	lines    bool
}

// newUsage reads a usage text.
func newUsage(text string) usage {
	words := strings.Fields(text)
	u := usage{text: text, name: words[0]}
	for _, w := range words[1:] {
		u.add(w)
	}
	return u
}

func (u *usage) add(word string) {
	inner := strings.Trim(word, "[]")
	optional := inner != word
	name, valued := strings.CutSuffix(inner, "=")
	switch {
	case word == "<lines>":
		u.lines = true
	case valued:
		u.valued = append(u.valued, name)
		if !optional {
			u.required = append(u.required, name)
		}
	case strings.ToUpper(inner) != inner:
		u.flags = append(u.flags, name)
	case strings.HasSuffix(inner, "..."):
		u.most = -1
	default:
		u.most++
		if !optional {
			u.operands++
		}
	}
}

// check returns the operands of a call, or what is wrong with it.
func (u *usage) check(args []datadriven.CmdArg, input string) (operands []string, err error) {
	seen := map[string]bool{}
	for _, a := range args {
		switch {
		case slices.Contains(u.valued, a.Key) && len(a.Vals) != 1:
			return nil, fmt.Errorf("%s has %d values, it takes one", a.Key, len(a.Vals))
		case slices.Contains(u.flags, a.Key) && len(a.Vals) != 0:
			return nil, fmt.Errorf("%s has a value, it takes none", a.Key)
		case seen[a.Key]:
			return nil, fmt.Errorf("%s is given twice", a.Key)
		case slices.Contains(u.valued, a.Key), slices.Contains(u.flags, a.Key):
			seen[a.Key] = true
		case len(a.Vals) > 0:
			return nil, fmt.Errorf("unknown argument %s=", a.Key)
		default:
			operands = append(operands, a.Key)
		}
	}
	for _, name := range u.required {
		if !seen[name] {
			return nil, fmt.Errorf("%s= is missing", name)
		}
	}
	if len(operands) < u.operands || u.most >= 0 && len(operands) > u.most {
		return nil, fmt.Errorf("%d operands %q", len(operands), operands)
	}
	if !u.lines && input != "" {
		return nil, fmt.Errorf("lines follow, and it takes none: %.60q (is ---- missing?)", input)
	}
	return operands, nil
}
