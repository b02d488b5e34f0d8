package tidy

import (
	"go/ast"
	"path"
	"slices"
	"strings"
	"unicode"
)

// checkNames looks for banned words in the names of files, folders of packages,
// packages and types.
func checkNames(t *tree, rules *Rules, r *Report) {
	folders := make(map[string]bool) // already looked at
	for _, f := range t.parsed() {
		if word := banned(rules, strings.TrimSuffix(path.Base(f.path), ".go")); word != "" {
			r.add(f.path, 0, "the file's name says %q, which says nothing; name it after its noun", word)
		}
		if !folders[f.dir] {
			folders[f.dir] = true
			if word := banned(rules, path.Base(f.dir)); word != "" {
				r.add(f.dir, 0, "the package's name says %q, which says nothing", word)
			}
		}
		if word := banned(rules, f.syntax.Name.Name); word != "" && f.syntax.Name.Name != path.Base(f.dir) {
			r.add(f.path, t.line(f.syntax.Name.Pos()), "the package's name says %q, which says nothing", word)
		}
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			if spec, ok := n.(*ast.TypeSpec); ok {
				if word := banned(rules, spec.Name.Name); word != "" {
					r.add(f.path, t.line(spec.Pos()), "type %s says %q, which says nothing", spec.Name.Name, word)
				}
			}
			return true
		})
	}
}

// banned returns the banned word a name contains, singular or plural; empty if
// none.
func banned(rules *Rules, name string) string {
	for _, word := range Words(name) {
		if slices.Contains(rules.Banned, word) || slices.Contains(rules.Banned, strings.TrimSuffix(word, "s")) {
			return word
		}
	}
	return ""
}

// Words splits a name at everything that is neither letter nor digit, and before
// each upper-case letter that follows a lower-case one or a digit, or begins a new
// word after an abbreviation (HTTPHelper is http, helper).
func Words(name string) (list []string) {
	var word []rune
	end := func() {
		if len(word) > 0 {
			list = append(list, strings.ToLower(string(word)))
			word = nil
		}
	}
	letters := []rune(name)
	for i, c := range letters {
		if !unicode.IsLetter(c) && !unicode.IsDigit(c) {
			end()
			continue
		}
		if unicode.IsUpper(c) && i > 0 {
			next := i+1 < len(letters) && unicode.IsLower(letters[i+1])
			last := letters[i-1]
			if unicode.IsLower(last) || unicode.IsDigit(last) || unicode.IsUpper(last) && next {
				end()
			}
		}
		word = append(word, c)
	}
	end()
	return list
}
