package main

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"regexp"
	"strconv"
	"strings"
)

// userCode is the code that is written as users write theirs.
func userCode(t *tree) []*ast.File {
	code := t.readme
	for _, f := range t.files {
		if strings.HasPrefix(f.path, "cmd/examples/") || isExample(f) {
			code = append(code, f.syntax)
		}
	}
	return code
}

// isExample reports whether a file holds examples, written outside of the
// package they show. Its name says so: a file of tests may have an example too,
// and its tests name what no user does.
func isExample(f *file) bool {
	return f.test && strings.HasPrefix(path.Base(f.path), "example") && strings.HasSuffix(f.syntax.Name.Name, "_test")
}

// readmeCode is the Go code in README.md: programs, and lines as of a
// function's body.
func readmeCode(fsys fs.FS) (code []*ast.File, err error) {
	text, err := fs.ReadFile(fsys, "README.md")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	for _, m := range regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		for _, source := range []string{m[1], "package p; func _() {\n" + m[1] + "}"} {
			if f, err := parser.ParseFile(token.NewFileSet(), "README.md", source, parser.SkipObjectResolution); err == nil {
				code = append(code, f)
				break
			}
		}
	}
	return code, err
}

// unnamed counts the exported names of a package, and those of them that no
// user-level code spells out.
func unnamed(t *tree, dir string) (s share) {
	named := make(map[string]bool)
	for _, f := range userCode(t) {
		collectNamed(f, path.Base(dir), named)
	}
	for name := range exported(t.files, dir) {
		s.add(!named[name])
	}
	return s
}

// collectNamed adds the names of a package that a file selects from it.
func collectNamed(f *ast.File, pkg string, named map[string]bool) {
	local := localName(f, pkg)
	ast.Inspect(f, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := sel.X.(*ast.Ident); ok && local != "" && x.Name == local {
				named[sel.Sel.Name] = true
			}
		}
		return true
	})
}

// localName is what a file calls a package; empty if it does not import it.
// Lines of a README import nothing and use the package's own name.
func localName(f *ast.File, pkg string) string {
	if len(f.Imports) == 0 {
		return pkg
	}
	for _, imp := range f.Imports {
		name, err := strconv.Unquote(imp.Path.Value)
		if err != nil || path.Base(name) != pkg {
			continue
		}
		if imp.Name != nil {
			return imp.Name.Name
		}
		return pkg
	}
	return ""
}
