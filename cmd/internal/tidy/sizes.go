package tidy

import (
	"go/ast"
	"slices"
)

// checkSizes bounds the length of files and functions, tests included. A
// function counts from its first line to its closing brace.
func checkSizes(t *tree, rules *Rules, r *Report) {
	needed := make(map[string]bool)
	for _, f := range t.parsed() {
		switch {
		case f.lines > rules.MaxFile:
			r.add(f.path, 0, "has %d lines, more than %d; split it by noun", f.lines, rules.MaxFile)
		case f.lines > rules.LongFile && !f.test:
			r.remark(f.path, 0, "has %d lines; the aim is %d", f.lines, rules.LongFile)
		}
		for _, d := range f.syntax.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			first := t.line(fn.Pos())
			lines := t.line(fn.End()) - first + 1
			if lines <= rules.MaxFunction {
				continue
			}
			name := f.path + ":" + funcName(fn)
			needed[name] = true
			if !slices.Contains(rules.LongFunctions, name) {
				r.add(f.path, first, "%s has %d lines, more than %d; split it", funcName(fn), lines, rules.MaxFunction)
			}
		}
	}
	for _, name := range rules.LongFunctions {
		if !needed[name] {
			r.add(name, 0, "is an exception from the function length that nobody needs any more; remove it")
		}
	}
}
