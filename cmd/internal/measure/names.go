package main

import (
	"go/ast"
	"slices"

	"github.com/millrace/millrace/cmd/internal/tidy"
)

func isOneWord(name string) bool { return len(tidy.Words(name)) == 1 }

// oneWordFuncs is the share among functions whose name is the author's choice.
func oneWordFuncs(files []*file) (s share) {
	for _, fn := range funcs(files) {
		if name := fn.Name.Name; !fn.Name.IsExported() && !slices.Contains([]string{"main", "init", "_"}, name) {
			s.add(isOneWord(name))
		}
	}
	return s
}

func oneWordTypes(files []*file) (s share) {
	for _, f := range files {
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			if spec, ok := n.(*ast.TypeSpec); ok && !spec.Name.IsExported() {
				s.add(isOneWord(spec.Name.Name))
			}
			return true
		})
	}
	return s
}
